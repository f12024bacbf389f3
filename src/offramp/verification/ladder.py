"""Exported C, built for processors and run there on samples: all that it computes beside the reference."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.export.c import Program, write_code
from offramp.targets import Program as Built
from offramp.targets import Target, build, check_fits_chip, compile_object, scratch, sizes, stack
from offramp.verification.reference import Expected

Array = npt.NDArray[Any]

SMALL_RAM_BYTES = 4096  # with so little there is no buffer for a sample that is pushed value by value

_LIBRARY_STACK = 32  # what functions of the C library take at most, such as a product of floats


@dataclass(frozen=True, kw_only=True)
class Rung:
    """What one processor made of samples.

    Args:
        name: of the target.
        images: samples.
        activations_compared: numbers: activations, scores, verdicts, coded bytes, of all samples.
        mismatches: those that differ.
        flash_bytes, ram_bytes: of the exported code, RAM with the caller's arrays and the stack; None where
            it was not weighed.
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
        n_counted: how many of the samples are counted, without tracing.
        defines: of the compiler, such as OFFRAMP_SCALAR.

    Raises:
        MissingDependencyError, ToolchainError, TooLargeError: as `targets.build` and `Program.run`.
    """
    started = time.perf_counter()
    counts = None
    modes = [*defines, *(["PUSHED"] if pushed else []), *(["WITH_TAIL"] if "tail" in program.parts else [])]
    if not pushed or target.ram_bytes == 0 or target.ram_bytes > SMALL_RAM_BYTES:
        modes.append("BUFFERED")
    with scratch() as folder:
        sources = write_device(program, folder)

        def made(mode: str, *own: str) -> Built:
            options: dict[str, Any] = {
                "include": [folder],
                "defines": (*modes, *own),
                "optimise": optimise,
            }
            built = build(target, sources, folder=folder / mode, **options)
            if target.emulator and target.memory is None:  # it has the chip's own memory, which may not do
                check_fits_chip(
                    sizes(built), target, stack_bytes=_stack_bytes(program, target, sources, options)
                )
            return built

        traced = made("traced", "OFFRAMP_TRACE").run(_bytes(samples), timeout_s=timeout_s)
        mismatches = _differences(traced.output, expected.traced)
        if n_counted > 0:
            run = made("counted").run(_bytes(samples[:n_counted]), timeout_s=timeout_s)
            mismatches += _differences(run.output, expected.verdict[:n_counted])
            counts = run.counts
    return Rung(
        name=target.name,
        images=len(samples),
        activations_compared=expected.n_activations,
        mismatches=mismatches,
        unit=target.unit if counts else "",
        mean=counts.mean if counts else None,
        most=counts.maximum if counts else None,
        seconds=time.perf_counter() - started,
    )


def write_device(program: Program, folder: Path) -> list[Path]:
    """Into a folder: the program that tests exported code, and this; gives their sources in this order."""
    text = resources.files("offramp.verification").joinpath("device.c").read_text(encoding="utf-8")
    text = text.replace("@prefix@", program.prefix).replace("@PREFIX@", program.upper)
    device = folder / "device.c"
    device.write_text(text, encoding="utf-8")
    return [device, write_code(program, folder)]


def _stack_bytes(program: Program, target: Target, sources: list[Path], options: dict[str, Any]) -> int:
    """The deepest that the stack goes, by the frames that the compiler states."""
    main, code = (compile_object(target, one, **options) for one in sources)
    called = ["begin", "push", "end"] if program.streamed is not None else []
    called += ["head", "exit", "encode", *(["tail"] if "tail" in program.parts else [])]
    deepest = max(stack(code, f"{program.prefix}_{name}").n_bytes for name in called)
    return stack(main, "main").n_bytes + deepest + _LIBRARY_STACK


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
