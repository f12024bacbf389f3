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
from offramp.targets import Target, build
from offramp.verification.reference import Expected

Array = npt.NDArray[Any]

SMALL_RAM_BYTES = 4096  # with so little there is no buffer for a sample that is pushed value by value


@dataclass(frozen=True)
class Rung:
    """What one processor made of n samples.

    Args:
        activations_compared: numbers: activations, scores, verdicts, coded bytes, of all samples.
        mismatches: those that differ.
        counts: mean and most of the target's unit a sample, head and exit; None where nothing is counted.
        stack_bytes: how deep it went; None where that is not measured.
    """

    target: str
    images: int
    activations_compared: int
    mismatches: int
    unit: str
    mean: float | None
    most: int | None
    stack_bytes: int | None
    seconds: float


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
    timeout_s: float = 600,
) -> Rung:
    """The program on a target beside what is expected of it.

    Args:
        samples: raw, (n, *shape).
        pushed: value by value, without a buffer for a sample.
        n_counted: how many of the samples are counted, without tracing.
        defines: of the compiler, such as OFFRAMP_SCALAR.

    Raises:
        MissingDependencyError, ToolchainError, TooLargeError: as `targets.build` and `Program.run`.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="offramp-") as name:
        folder = Path(name)
        write_device(program, folder)
        modes = (*defines, *(["PUSHED"] if pushed else []))
        if not pushed or target.ram_bytes == 0 or target.ram_bytes > SMALL_RAM_BYTES:
            modes = (*modes, "BUFFERED")
        modes = (*modes, *(["WITH_TAIL"] if "tail" in program.parts else []))
        made = [
            build(
                target,
                [folder / "device.c", folder / f"{program.prefix}.c"],
                folder=folder / mode,
                include=[folder],
                defines=(*modes, *own),
                optimise=optimise,
            )
            for mode, own in (("traced", ("OFFRAMP_TRACE",)), ("counted", ()))
        ]
        traced, counted = made
        data = np.ascontiguousarray(samples).tobytes()
        wanted = expected.traced
        found = _read(traced.run(data, timeout_s=timeout_s).output, wanted.dtype)
        mismatches = _differences(found, wanted)
        few = samples[:n_counted]
        run = counted.run(np.ascontiguousarray(few).tobytes(), timeout_s=timeout_s)
        mismatches += _differences(_read(run.output, expected.verdict.dtype), expected.verdict[: len(few)])
    counts = run.counts
    return Rung(
        target=target.name,
        images=len(samples),
        activations_compared=expected.n_activations,
        mismatches=mismatches,
        unit=target.unit,
        mean=None if counts is None else counts.mean,
        most=None if counts is None else counts.maximum,
        stack_bytes=run.stack_bytes,
        seconds=time.perf_counter() - started,
    )


def write_device(program: Program, folder: Path) -> None:
    """The exported code and the program that tests it."""
    (folder / f"{program.prefix}.c").write_text(source(program), encoding="utf-8")
    (folder / f"{program.prefix}.h").write_text(header(program), encoding="utf-8")
    text = resources.files("offramp.verification").joinpath("device.c").read_text(encoding="utf-8")
    text = text.replace("@prefix@", program.prefix).replace("@PREFIX@", program.upper)
    (folder / "device.c").write_text(text, encoding="utf-8")


def _read(output: bytes, dtype: Any) -> Array:
    """Whole records of the output; what was not written counts as different."""
    return np.frombuffer(output[: len(output) // dtype.itemsize * dtype.itemsize], dtype)


def _differences(found: Array, wanted: Array) -> int:
    """How many numbers differ, or are missing."""
    if wanted.dtype.names:
        return sum(_differences(found[name], wanted[name]) for name in wanted.dtype.names)
    n = min(len(found), len(wanted))
    bits = [np.ascontiguousarray(array[:n]).view(f"u{array.dtype.itemsize}") for array in (found, wanted)]
    return int((bits[0] != bits[1]).sum()) + (wanted.size - wanted[:n].size) + (found.size - found[:n].size)
