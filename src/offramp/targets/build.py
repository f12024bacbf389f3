"""C sources to a program for a target."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from offramp.errors import TooLargeError, ToolchainError
from offramp.targets.program import Program
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


def compile_flags(
    target: Target, *, include: Sequence[Path] = (), defines: Sequence[str] = (), optimise: str = "-O2"
) -> list[str]:
    """What the compiler is called with, for one source or for all."""
    return [
        *target.flags,
        *FLAGS,
        optimise,
        *(f"-D{define}" for define in defines),
        *(f"-I{folder}" for folder in include),
    ]


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
        folder: where the program goes, and what is made on the way; a temporary one that lives as long as the
            program otherwise.
        include: folders of headers; `harness.h` is found without.
        defines: `NAME` or `NAME=VALUE`.
        harness: without it, the sources bring start, input and output themselves.

    Raises:
        MissingDependencyError: the compiler is not installed.
        TooLargeError: the program does not fit the memory of the emulated machine.
        ToolchainError: the compiler refuses the sources.
    """
    temporary = None if folder is not None else tempfile.TemporaryDirectory(prefix="offramp-")
    place = Path(temporary.name) if folder is None and temporary is not None else Path(str(folder))
    place.mkdir(parents=True, exist_ok=True)
    elf = place / "program.elf"
    support = [SUPPORT / name for name in target.support] if harness else []
    arguments = [
        *compile_flags(target, include=[*include, SUPPORT], defines=defines, optimise=optimise),
        *map(str, [*support, *sources]),
        *_link_flags(target),
        "-o",
        str(elf),
    ]
    try:
        said(target.compiler, arguments, folder=place)
    except ToolchainError as error:
        raise _too_large(target, str(error)) or error from None
    return Program(target, elf, temporary)


def _link_flags(target: Target) -> list[str]:
    flags = ["-Wl,--gc-sections"]
    if (memory := target.memory) is not None:
        flags += [
            "-nostartfiles",
            "-T",
            str(SUPPORT / "bare.ld"),
            f"-Wl,--defsym=FLASH_ORIGIN={memory.flash_origin},--defsym=FLASH_BYTES={memory.flash_bytes}",
            f"-Wl,--defsym=RAM_ORIGIN={memory.ram_origin},--defsym=RAM_BYTES={memory.ram_bytes}",
        ]
    return flags


def _too_large(target: Target, message: str) -> TooLargeError | None:
    over = {
        name.lower(): int(n_bytes)
        for name, n_bytes in re.findall(r"region `(\w+)' overflowed by (\d+) bytes", message)
    }
    flash, ram = (sum(over.get(name, 0) for name in names) for names in (("flash", "text"), ("ram", "data")))
    if not flash and not ram:
        return None
    excess = " and ".join(
        f"{n_bytes:,} bytes of {name}" for n_bytes, name in ((flash, "flash"), (ram, "RAM")) if n_bytes
    )
    return TooLargeError(
        f"the program takes {excess} more than {target.name} has; make it smaller",
        flash_bytes=flash,
        ram_bytes=ram,
    )
