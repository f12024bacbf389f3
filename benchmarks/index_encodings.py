"""What a junction costs in C, by index encoding and processor: `python -m benchmarks.index_encodings`.

Synthetic junctions go through the exporter in every encoding, are built for each target and run under its
emulator. A price is fitted to what was counted: so much for the junction, for each output and for each entry
of its index. The result is the table that `offramp export c` chooses by, src/offramp/export/c/costs.csv,
which is written anew.

Counts do not depend on how busy the machine is. Targets whose tools are missing keep their old prices.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import c_cases, c_rest, index_encodings_page
from benchmarks.c_cases import Case
from benchmarks.c_fits import Row, fits
from offramp.export.c.costs import COSTS_FILE, Key, Price, prices, written
from offramp.targets import TARGETS, Target, build, missing, sizes

NAMES = tuple(name for name, target in TARGETS.items() if target.unit)
CODE_BYTES = {"int8": 900, "float32": 3000}  # of a case, roughly; a program holds as many as fit


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index_encodings", description=__doc__)
    parser.add_argument("--targets", default=",".join(NAMES), help="names, separated by commas")
    parser.add_argument("--json", type=Path, help="where every case goes, with its count")
    parser.add_argument("--from-json", type=Path, nargs="+", help="measure nothing: take the cases from here")
    parser.add_argument("--markdown", type=Path, help="write a page, such as docs/results/index_encodings.md")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for path in arguments.from_json or ():
        rows += json.loads(path.read_text(encoding="utf-8"))
    for name in () if arguments.from_json else arguments.targets.split(","):
        if reason := missing(TARGETS[name]):
            print(f"{name} skipped: {reason}", file=sys.stderr)
            continue
        own = list(_measured(TARGETS[name]))
        _write({key: fit.price for key, fit in fits(own).items()})
        _write(dict(c_rest.prices(TARGETS[name])))  # which chooses encodings by what was just written
        rows += own
        print(f"{name}: {len(own)} junctions", file=sys.stderr, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    page = index_encodings_page.page(fits(rows))
    if arguments.markdown:
        arguments.markdown.write_text(page, encoding="utf-8")
    else:
        print(page)


def _write(new: dict[Key, Price]) -> None:
    """Beside what is there: runs for several targets may go side by side."""
    prices.cache_clear()
    known = dict(prices()) if COSTS_FILE.exists() else {}
    COSTS_FILE.write_text(written(known | new), encoding="ascii")
    prices.cache_clear()


def _measured(target: Target) -> Iterator[Row]:
    for batch in _batches(target):
        yield from _run(target, batch)


def _batches(target: Target) -> Iterator[list[Case]]:
    """As many cases in each program as the target has room for."""
    flash = 0.6 * min(target.memory.flash_bytes if target.memory else target.flash_bytes, 2**19)
    batch: list[Case] = []
    for case in c_cases.cases(target):
        both = [*batch, case]
        code = sum(one.table_bytes + CODE_BYTES[one.key[0]] for one in both)
        if batch and (code > flash or c_cases.ram_bytes(both) > target.ram_bytes):
            yield batch
            both = [case]
        batch = both
    yield batch


def _run(target: Target, batch: list[Case]) -> Iterator[Row]:
    """Every case of one program, called once."""
    with tempfile.TemporaryDirectory(prefix="offramp-") as name:
        folder = Path(name)
        paths = []
        for file, text in c_cases.sources(batch).items():
            (folder / file).write_text(text, encoding="utf-8")
            paths += [folder / file] if file.endswith(".c") else []
        program = build(target, paths, folder=folder / "built", include=[folder])
        symbols = sizes(program).symbols
        counts = program.run().intervals
    for number, (case, count) in enumerate(zip(batch, counts, strict=True)):
        own = [one for one in symbols if re.match(f"case_{number}_(?!weight|index|bias)", one.name)]
        shared = sum(one.n_bytes for one in own if "_rows_" in one.name)
        code = sum(one.n_bytes for one in own) - shared
        key = Key(target.name, *case.key)
        yield key._asdict() | case.terms | {"count": count, "code_bytes": code, "rows_bytes": shared}


if __name__ == "__main__":
    main()
