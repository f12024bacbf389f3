"""docs/results/index_encodings.md."""

from collections.abc import Iterator, Mapping

from benchmarks.c_fits import Fit
from offramp.export.c.costs import Key
from offramp.targets import TARGETS

_KINDS = ("dense", "affine", "u8", "u16", "delta", "farther")
_SIDES = ((1, 1), (1, 4), (2, 4), (5, 4))  # rows together, inputs of a block
_HEAD = """\
# What an edge costs, by index encoding and processor

`python -m benchmarks.index_encodings --markdown docs/results/index_encodings.md` writes this page, and
[costs.csv](../../src/offramp/export/c/costs.csv), by which `offramp export c` chooses. Synthetic junctions
of int8 went through the exporter, were built with -O2 and counted under the emulators: instructions under
QEMU, cycles of the ATmega328P under simavr. A price in a few terms explains {n:,} counts; R² is {r2:.4f} at
least and {median:.6f} in the middle, the worst error of a count {worst:.1%}.

Each cell: what an edge takes, without what an output takes; then bytes of code. `1 x 4` is one row at a time
in blocks of 4 inputs, `2 x 4` two rows together that read the same blocks. An index takes a byte (u8, delta)
or two (u16) for each block; `farther` is delta where gaps of 255 and more occur. A dense row has no blocks:
its columns are 1, 2 and 5 rows together.
"""


def page(fits: Mapping[Key, Fit]) -> str:
    """Its text."""
    ours = {key: fit for key, fit in fits.items() if key.numbers == "int8"}
    quality = sorted(fit.r2 for fit in ours.values())
    head = _HEAD.format(
        n=sum(fit.n for fit in ours.values()),
        r2=quality[0],
        median=quality[len(quality) // 2],
        worst=max(fit.worst for fit in ours.values()),
    )
    return "\n".join([head, *_tables(ours)])


def _tables(fits: Mapping[Key, Fit]) -> Iterator[str]:
    for target in TARGETS:
        if not any(key.target == target for key in fits):
            continue
        yield f"## {target}: {TARGETS[target].unit}\n"
        yield "| index | " + " | ".join(f"{rows} x {side}" for rows, side in _SIDES) + " |"
        yield "|---|" + "---:|" * len(_SIDES)
        for kind in _KINDS:
            yield f"| {kind} | " + " | ".join(_cell(fits, target, kind, *place) for place in _SIDES) + " |"
        yield f"| by input, u8 | {_by_input(fits, target)} | | | |\n"


def _cell(fits: Mapping[Key, Fit], target: str, kind: str, together: int, side: int) -> str:
    fit = fits.get(Key(target, "int8", "output", kind, together, 1 if kind == "dense" else side))
    if fit is None or (kind == "dense" and (together, side) == (1, 4)):
        return ""
    edges = together * (1 if kind == "dense" else side)
    return f"{fit.price.entry / edges:.2f}, {fit.price.code_bytes + fit.price.rows_bytes:.0f} B"


def _by_input(fits: Mapping[Key, Fit], target: str) -> str:
    fit = fits.get(Key(target, "int8", "input", "u8", 1, 1))
    if fit is None:
        return ""
    return f"{fit.price.entry:.2f}, {fit.price.code_bytes:.0f} B; {fit.price.value:.1f} for an input of 0"
