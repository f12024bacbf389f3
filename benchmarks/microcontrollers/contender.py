"""What is built for a target, and what is read off it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from offramp.targets import Program, Target, build, sizes

SUPPORT = Path(__file__).parent / "support"
OPTIMISATIONS = ("-O2", "-Os")


@dataclass(frozen=True)
class Sources:
    """Of a `classify`.

    Args:
        foreign: written by others, whose warnings are theirs.
        flags: of the compiler.
        target: the only one that it is for; "" for all.
    """

    files: tuple[Path, ...]
    include: tuple[Path, ...] = ()
    foreign: bool = True
    flags: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True, eq=False)
class Measured:
    """One build of a network for a target.

    Args:
        flash_bytes, ram_bytes: more than the same program has without a network; RAM with the stack.
        instructions, most_instructions: of an image, in the mean and at most.
        classes: of all images.
    """

    optimise: str
    flash_bytes: int
    ram_bytes: int
    instructions: float
    most_instructions: int
    classes: npt.NDArray[np.uint8]


def measured(target: Target, sources: Sources, images: npt.NDArray[np.uint8]) -> list[Measured]:
    """Each optimisation's build, weighed and run on all images."""
    return [_measured(target, sources, images, optimise) for optimise in OPTIMISATIONS]


def _measured(target: Target, sources: Sources, images: npt.NDArray[np.uint8], optimise: str) -> Measured:
    nothing = built(target, Sources((SUPPORT / "nothing.c",), foreign=False), optimise)
    program = built(target, sources, optimise)
    run = program.run(images.tobytes(), timeout_s=600)
    empty = nothing.run(images[:1].tobytes())
    assert run.counts is not None
    assert run.stack_bytes is not None
    assert empty.stack_bytes is not None
    before, after = sizes(nothing), sizes(program)
    return Measured(
        optimise=optimise,
        flash_bytes=after.flash_bytes - before.flash_bytes,
        ram_bytes=after.ram_bytes - before.ram_bytes + run.stack_bytes - empty.stack_bytes,
        instructions=run.counts.mean,
        most_instructions=run.counts.maximum,
        classes=np.frombuffer(run.output, np.uint8),
    )


def built(target: Target, sources: Sources, optimise: str) -> Program:
    # The group, which ends with the command, has the linker look into libm for what later objects miss.
    foreign = ("-w", "-Wl,--start-group", "-lm") if sources.foreign else ()
    return build(
        replace(target, flags=(*foreign, *sources.flags, *target.flags)),
        [SUPPORT / "main.c", *sources.files],
        include=[SUPPORT, *sources.include],
        optimise=optimise,
    )
