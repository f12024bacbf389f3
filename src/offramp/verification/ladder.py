"""Exported C, built for processors and run there on samples: all that it computes beside the reference."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.export.c import Program, header, source
from offramp.targets import Program as Built
from offramp.targets import Run, Target, build, check_fits_chip, compile_object, sizes, stack
from offramp.verification.reference import Expected

Array = npt.NDArray[Any]

SMALL_RAM_BYTES = 4096  # with so little there is no buffer for a sample that is pushed value by value

_LIBRARY_STACK = 32  # what functions of the C library take at most, such as a product of floats

# Reads, writes and counts, as every program under test does.
_EMPTY = """\
#include "harness.h"
int main(void)
{
    unsigned char value;
    while (harness_read(&value, 1) == 1) {
        harness_start();
        harness_stop();
        harness_write(&value, 1);
    }
    return 0;
}
"""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """What one processor made of samples.

    Args:
        name: of the target.
        images: samples.
        activations_compared: numbers: activations, scores, verdicts, coded bytes, of all samples.
        mismatches: those that differ.
        flash_bytes: of the program beyond one that reads and writes alone; None natively.
        ram_bytes: variables beyond those of that one, the caller's arrays among them, and the stack that was
            seen in use; None where that is not measured.
        unit: instructions or cycles; "" where nothing is counted.
        mean, most: of it for a sample, from the sample to the verdict.
    """

    name: str
    images: int
    activations_compared: int
    mismatches: int
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    unit: str = ""
    mean: float | None = None
    most: int | None = None
    seconds: float = 0.0


def verify(
    program: Program,
    expected: Expected,
    samples: Array,
    target: Target,
    *,
    pushed: bool = False,
    n_counted: int = 1000,
    defines: tuple[str, ...] = (),
    optimise: str = "-O2",
    timeout_s: float = 1800,
) -> Rung:
    """The program on a target beside what is expected of it.

    Args:
        samples: raw, (n, *shape).
        pushed: value by value; where RAM is small, without a buffer for a sample.
        n_counted: how many of the samples are counted, without tracing; with 0 nothing is weighed either.
        defines: of the compiler, such as OFFRAMP_SCALAR.

    Raises:
        MissingDependencyError, ToolchainError, TooLargeError: as `targets.build` and `Program.run`.
    """
    started = time.perf_counter()
    weighed: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="offramp-") as name:
        folder = Path(name)
        write_device(program, folder)
        modes = (*defines, *(["PUSHED"] if pushed else []))
        if not pushed or target.ram_bytes == 0 or target.ram_bytes > SMALL_RAM_BYTES:
            modes = (*modes, "BUFFERED")
        modes = (*modes, *(["WITH_TAIL"] if "tail" in program.parts else []))

        def made(mode: str, *own: str) -> Built:
            sources, defines = [folder / "device.c", folder / f"{program.prefix}.c"], (*modes, *own)
            built = build(
                target,
                sources,
                folder=folder / mode,
                include=[folder],
                defines=defines,
                optimise=optimise,
            )
            if (
                target.emulator and target.memory is None
            ):  # the chip's own memory, so little that it may not do
                main, code = (
                    compile_object(target, one, include=[folder], defines=defines, optimise=optimise)
                    for one in sources
                )
                deepest = max(stack(code, f"{program.prefix}_{name}").n_bytes for name in _entries(program))
                stack_bytes = stack(main, "main").n_bytes + deepest + _LIBRARY_STACK
                check_fits_chip(sizes(built), target, stack_bytes=stack_bytes)
            return built

        traced = made("traced", "OFFRAMP_TRACE").run(_bytes(samples), timeout_s=timeout_s)
        mismatches = _differences(traced.output, expected.traced)
        if n_counted > 0:
            counted = made("counted")
            run = counted.run(_bytes(samples[:n_counted]), timeout_s=timeout_s)
            mismatches += _differences(run.output, expected.verdict[:n_counted])
            weighed = _weighed(counted, run, optimise)
    return Rung(
        name=target.name,
        images=len(samples),
        activations_compared=expected.n_activations,
        mismatches=mismatches,
        seconds=time.perf_counter() - started,
        **weighed,
    )


def _entries(program: Program) -> list[str]:
    """The functions that a device calls."""
    made = ["begin", "push", "end"] if program.streamed is not None else []
    return [*made, "head", "exit", "encode", *(["tail"] if "tail" in program.parts else [])]


def _weighed(counted: Built, run: Run, optimise: str) -> dict[str, Any]:
    """What the program takes beyond an empty one, and what a sample costs."""
    target, counts = counted.target, run.counts
    if counts is None:
        return {}
    with tempfile.TemporaryDirectory(prefix="offramp-") as name:
        source = Path(name) / "empty.c"
        source.write_text(_EMPTY, encoding="utf-8")
        empty = sizes(build(target, [source], folder=Path(name), optimise=optimise))
    taken = sizes(counted)
    variables = taken.ram_bytes - empty.ram_bytes
    return {
        "flash_bytes": taken.flash_bytes - empty.flash_bytes,
        "ram_bytes": None if run.stack_bytes is None else variables + run.stack_bytes,
        "unit": target.unit,
        "mean": counts.mean,
        "most": counts.maximum,
    }


def write_device(program: Program, folder: Path) -> None:
    """The exported code and the program that tests it."""
    (folder / f"{program.prefix}.c").write_text(source(program), encoding="utf-8")
    (folder / f"{program.prefix}.h").write_text(header(program), encoding="utf-8")
    text = resources.files("offramp.verification").joinpath("device.c").read_text(encoding="utf-8")
    text = text.replace("@prefix@", program.prefix).replace("@PREFIX@", program.upper)
    (folder / "device.c").write_text(text, encoding="utf-8")


def _bytes(samples: Array) -> bytes:
    return np.ascontiguousarray(samples).tobytes()


def _differences(output: bytes, wanted: Array) -> int:
    """How many numbers differ, or were not written."""
    whole = output[: len(output) // wanted.itemsize * wanted.itemsize]
    return _different(np.frombuffer(whole, wanted.dtype), wanted)


def _different(found: Array, wanted: Array) -> int:
    if wanted.dtype.names:
        return sum(_different(found[name], wanted[name]) for name in wanted.dtype.names)
    n = min(len(found), len(wanted))
    bits = [np.ascontiguousarray(array[:n]).view(f"u{array.dtype.itemsize}") for array in (found, wanted)]
    return int((bits[0] != bits[1]).sum()) + (wanted.size - wanted[:n].size) + (found.size - found[:n].size)
