"""C sources to a program for a target, or to an object file."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

from offramp.targets.program import Object, Program
from offramp.targets.sizes import check_fits, sizes
from offramp.targets.target import SUPPORT, Target
from offramp.targets.tools import said

# Contraction would give floats other digits on a processor that has fused multiply-adds.
FLAGS = (
    "-std=c99",
    "-ffp-contract=off",
    "-ffunction-sections",
    "-fdata-sections",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
)
# What a program must leave for its stack to be worth a try.
LEAST_STACK_BYTES = 256


def build(
    target: Target,
    sources: Sequence[Path],
    *,
    folder: Path | None = None,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    optimise: str = "-O2",
    harness: bool = True,
) -> Program:
    """A program that runs on the target, or on what emulates it.

    Args:
        folder: where the program goes; a temporary one that lives as long as the program otherwise.
        include: folders of headers; `harness.h` is found without.
        defines: `NAME` or `NAME=VALUE`.
        harness: without it, the sources bring start, input and output themselves.

    Raises:
        MissingDependencyError: the compiler is not installed.
        TooLargeError: the program does not fit the memory of the emulated machine.
        ToolchainError: the compiler refuses the sources.
    """
    program = Program(target, _place(folder) / "program.elf")
    _clear_away(program, folder)
    support = [SUPPORT / name for name in target.support] if harness else []
    said(
        target.compiler,
        [
            *_compile_flags(target, include, defines, optimise),
            *_absolute([*support, *sources]),
            *_link_flags(target),
            *("-o", str(program.elf)),
        ],
        folder=program.elf.parent,
    )
    _check_fits_machine(program)
    return program


def compile_object(
    target: Target,
    source: Path,
    *,
    folder: Path | None = None,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
    optimise: str = "-O2",
) -> Object:
    """One source compiled as `build` does it: what it takes alone, for `sizes` and `stack`.

    Raises:
        MissingDependencyError, ToolchainError: as `build`.
    """
    made = Object(target, _place(folder) / f"{source.stem}.o")
    _clear_away(made, folder)
    flags = _compile_flags(target, include, defines, optimise)
    arguments = [*flags, "-fstack-usage", "-c", *_absolute([source]), "-o", str(made.elf)]
    said(target.compiler, arguments, folder=made.elf.parent)
    return made


def _place(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="offramp-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()


def _clear_away(made: Program | Object, folder: Path | None) -> None:
    """A temporary folder goes when nobody holds what was made in it, also where making it fails."""
    if folder is None:
        weakref.finalize(made, shutil.rmtree, made.elf.parent)


def _absolute(paths: Sequence[Path]) -> list[str]:
    return [str(path.absolute()) for path in paths]


def _compile_flags(
    target: Target, include: Sequence[Path], defines: Sequence[str], optimise: str
) -> list[str]:
    return [
        *target.flags,
        *FLAGS,
        optimise,
        *(f"-D{define}" for define in defines),
        *(f"-I{folder}" for folder in _absolute([*include, SUPPORT])),
    ]


def _link_flags(target: Target) -> list[str]:
    """Memories are given as endless, so that what is too large can still be weighed."""
    flags = ["-Wl,--gc-sections"]
    if (memory := target.memory) is not None:
        places = {
            "FLASH_ORIGIN": memory.flash_origin,
            "RAM_ORIGIN": memory.ram_origin,
            "RAM_BYTES": memory.ram_bytes,
        }
        flags += ["-nostartfiles", "-T", str(SUPPORT / "bare.ld"), *_symbols(places)]
    elif target.emulator == "simavr":
        flags += _symbols({"__TEXT_REGION_LENGTH__": 2**20, "__DATA_REGION_LENGTH__": 0xFF00})
    return [*flags, "-lm"]


def _symbols(values: dict[str, int]) -> list[str]:
    return [f"-Wl,--defsym={name}={value:#x}" for name, value in values.items()]


def _check_fits_machine(program: Program) -> None:
    target, memory = program.target, program.target.memory
    if not target.emulator:
        return
    check_fits(
        sizes(program),
        place=f"{target.machine}, which stands for {target.name}" if memory else target.chip,
        flash_bytes=memory.flash_bytes if memory else target.flash_bytes,
        ram_bytes=memory.ram_bytes if memory else target.ram_bytes,
        stack_bytes=LEAST_STACK_BYTES,
    )
