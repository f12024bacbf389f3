"""`docs/results/microcontrollers.md` from what `--json` holds."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.microcontrollers.contenders import IN_FLOATS, OURS
from offramp.experiments.statistics import spread

Row = dict[str, Any]

_HEAD = """\
# Heads on microcontrollers

Written by `{command}`; every number is from one run of it.

What a head with its exit takes on a microcontroller when the junctions are sparse, beside the smallest
dense network of the same accuracy by three public ways to C: CMSIS-NN ({cmsis}), onnx2c ({onnx2c}) and
emlearn ({emlearn}). Both sides are trained here by the same recipe, with teachers and means of pixels
where that helps them, and run on the same {images:,} test images of MNIST.
"""
_HOW = """\
## How it was measured

- Recipe {recipe}, seeds {seeds}; each seed has its own teacher. Widths, depth, pooling, the teacher's
  share and, for sparse networks, degrees, blocks and the pattern's seed were chosen by the validation
  accuracy of trainings with seed 0 (`benchmarks/microcontrollers/networks.py`), more of them sparse than
  dense. Images were not cropped, which would spare either side inputs that are always zero.
- The dense network is the smallest of the candidates whose mean validation accuracy is at least the
  sparse one's less one standard error, which favours the dense side. The test images are read once, by
  the emulated processors.
- Ours is the code of `offramp export c`, with int8 weights and the exit's confidence, which the peers do
  not compute. CMSIS-NN: `arm_fully_connected_s8`, quantised per tensor as TensorFlow Lite does it, with
  DSP on M4 and M7 and MVE on M55, where the kernel sums are constants; onnx2c int8: `MatMulInteger` and
  `QuantizeLinear`. For the peers, pixels are averaged by a loop of ours, four pixels at a time
  (`support/pool.h`).
- Flash and RAM (with the stack) are what the program takes more than the same program without a network,
  by the linker and by painting the stack. Instructions are counted by QEMU, which knows no cycles: a load
  costs there what a product costs. Each number is that of the best build for its column: of `-O2` and
  `-Os`, and for ours of the forms that the exporter chooses from.
- Of every contender in integers, the classes of all test images on every processor are compared with
  those of its arithmetic in NumPy: {differ} differ, of {compared:,}. In floats {float_differ} of
  {float_compared:,} differ.
- A dense network in floats was run with the first seed only.
- Measured on {processor}; compilers arm-none-eabi-gcc and avr-gcc of Debian 12, QEMU 7.2.
"""


def page(result: dict[str, Any]) -> str:
    versions, levels = result["versions"], result["levels"]
    parts = [
        _HEAD.format(
            command=result["command"],
            cmsis=versions["CMSIS-NN"],
            onnx2c=versions["onnx2c"],
            emlearn=versions["emlearn"],
            images=result["images"],
        ),
        "## Against the best dense route\n\n"
        "A ratio is the best peer's bytes or instructions over ours: above 1, ours is smaller or faster.\n\n"
        + _table(
            ("level", "target", "flash, bytes", "best dense", "ratio", "instructions", "best dense", "ratio"),
            [line for level in levels for line in _beside(level)],
        ),
    ]
    parts += [*map(_level, levels), _avr(result["avr"]), _how(result)]
    return "\n".join(parts)


def _beside(level: Row) -> Iterable[tuple[str, ...]]:
    for target in _distinct(level, "target"):
        cells = []
        for key in ("flash_bytes", "instructions"):
            ours = _best(level, target, OURS, key)
            dense = {name: _best(level, target, name, key) for name in _peers(level)}
            best = min(dense, key=lambda name: dense[name])
            cells += [f"{ours:,.0f}", f"{dense[best]:,.0f} ({best})", f"**{dense[best] / ours:.2f}**"]
        yield (level["name"], target, *cells)


def _level(level: Row) -> str:
    validation = level["validation"]
    lines = []
    for target in _distinct(level, "target"):
        for name in _distinct(level, "contender"):
            rows = _rows(level, target, name)
            lines.append(
                (
                    target,
                    name,
                    *(f"{_best(level, target, name, key):,.0f}" for key in ("flash_bytes", "ram_bytes")),
                    f"{_best(level, target, name, 'instructions'):,.0f}",
                    f"{_best(level, target, name, 'most_instructions'):,.0f}",
                    _percent([row["accuracy"] for row in rows if _build(row) == _build(rows[0])]),
                )
            )
    candidates = [
        (
            one["words"] + (" **(chosen)**" if number == validation["chosen"] else ""),
            f"{one['edges']:,}",
            f"{100 * one['accuracy']:.2f}",
        )
        for number, one in enumerate(validation["candidates"])
    ]
    sparse, dense = level["sparse"], level["dense"]
    return (
        f"## Level {level['name']}\n\n"
        f"Sparse: {sparse['words']}, {sparse['edges']:,} multiply-adds, {100 * validation['sparse']:.2f}% of"
        f" the validation images. Dense: {dense['words']}, {dense['edges']:,} multiply-adds; it had to have"
        f" {100 * validation['least']:.2f}%.\n\n"
        + _table(
            ("target", "way", "flash, bytes", "RAM, bytes", "instructions", "at most", "test accuracy, %"),
            lines,
        )
        + "\n<details><summary>Dense candidates</summary>\n\n"
        + _table(("network", "multiply-adds", "validation accuracy, %"), candidates)
        + "\n</details>\n"
    )


def _avr(avr: Row) -> str:
    rows = avr["rows"]
    cells = (
        f"{max(row['flash_bytes'] for row in rows):,}",
        f"{max(row['ram_bytes'] for row in rows):,}",
        f"{spread([row['cycles'] for row in rows]).mean:,.0f}",
        f"{max(row['most_cycles'] for row in rows):,}",
        f"{1e3 * spread([row['cycles'] for row in rows]).mean / 16e6:.1f}",
        _percent([row["accuracy"] for row in rows]),
        f"{sum(row['differ'] for row in rows)}",
    )
    return (
        "## On an ATmega328P\n\n"
        f"{avr['network']}: head and exit, images coming row by row, cycles by simavr; flash and RAM"
        " are the whole program's, the harness and the stack included.\n\n"
        + _table(
            (
                "flash, bytes",
                "RAM, bytes",
                "cycles",
                "at most",
                "ms at 16 MHz",
                "test accuracy, %",
                "other classes than the reference",
            ),
            [cells],
        )
        + f"\nThe dense network ({avr['dense_network']}) has no program there by the peers, whose tables lie"
        " in RAM:\n\n" + "".join(f"- {way}: {line}\n" for way, line in avr["dense"].items())
    )


def _how(result: Row) -> str:
    rows = [row for level in result["levels"] for row in level["rows"]]
    integer = [row for row in rows if row["contender"] not in IN_FLOATS]
    floats = [row for row in rows if row["contender"] in IN_FLOATS]
    return _HOW.format(
        recipe=result["recipe"]["name"],
        seeds=", ".join(map(str, result["seeds"])),
        differ=sum(row["differ"] for row in integer),
        compared=len(integer) * result["images"],
        float_differ=sum(row["differ"] for row in floats),
        float_compared=len(floats) * result["images"],
        processor=result["machine"]["processor"],
    )


def _best(level: Row, target: str, contender: str, key: str) -> float:
    """The mean over the seeds of the best build."""
    by_build: dict[tuple[str, str], list[float]] = {}
    for row in _rows(level, target, contender):
        by_build.setdefault(_build(row), []).append(row[key])
    return min(spread(values).mean for values in by_build.values())


def _build(row: Row) -> tuple[str, str]:
    return row["form"], row["optimise"]


def _rows(level: Row, target: str, contender: str) -> list[Row]:
    return [row for row in level["rows"] if (row["target"], row["contender"]) == (target, contender)]


def _distinct(level: Row, key: str) -> list[str]:
    return list(dict.fromkeys(row[key] for row in level["rows"]))


def _peers(level: Row) -> list[str]:
    return [name for name in _distinct(level, "contender") if name != OURS]


def _percent(values: Sequence[float]) -> str:
    found = spread([100 * value for value in values])
    return f"{found.mean:.2f}" + ("" if found.margin is None else f" ± {found.margin:.2f}")


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    texts = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(line) + " |\n" for line in texts)
