"""What a program or an object file takes of flash and RAM, as the toolchain's own tools read it."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from offramp.errors import TooLargeError
from offramp.targets.program import Object, Program
from offramp.targets.target import Target
from offramp.targets.tools import said

Memory = Literal["flash", "ram", "both"]


@dataclass(frozen=True)
class Symbol:
    """A function or a table, and where it lies; initial values of variables lie in both."""

    name: str
    n_bytes: int
    memory: Memory


@dataclass(frozen=True)
class Sizes:
    """What is taken, without the stack.

    Args:
        flash, ram: bytes of each section there; `.data` is in both, and so are an AVR's constants outside of
            program memory.
        symbols: the largest first.
    """

    flash: Mapping[str, int]
    ram: Mapping[str, int]
    symbols: tuple[Symbol, ...]

    @property
    def flash_bytes(self) -> int:
        return sum(self.flash.values())

    @property
    def ram_bytes(self) -> int:
        return sum(self.ram.values())


def sizes(built: Program | Object) -> Sizes:
    """What a program, with its harness and its libraries, or an object file alone takes."""
    target = built.target
    flash: Counter[str] = Counter()
    ram: Counter[str] = Counter()
    for section, n_bytes, memory in _sections(built):
        if memory != "ram":
            flash[section] += n_bytes
        if memory != "flash":
            ram[section] += n_bytes
    listing = said(target.binutil("nm"), ["--print-size", "--size-sort", "--reverse-sort", str(built.elf)])
    rows = (line.split() for line in listing.splitlines())
    symbols = tuple(
        Symbol(name, int(n_bytes, 16), _symbol_memory(kind)) for _address, n_bytes, kind, name in rows
    )
    return Sizes(dict(flash), dict(ram), symbols)


def check_fits(sizes: Sizes, *, place: str, flash_bytes: int, ram_bytes: int, stack_bytes: int = 0) -> None:
    """Nothing, where program and stack fit.

    Args:
        place: what has so much flash and RAM, for the message.

    Raises:
        TooLargeError: it says by how many bytes of what.
    """
    taken = sizes.ram_bytes + stack_bytes
    over_flash, over_ram = max(0, sizes.flash_bytes - flash_bytes), max(0, taken - ram_bytes)
    stack = f" with {stack_bytes:,} of stack" if stack_bytes else ""
    flash_line = f"{sizes.flash_bytes:,} bytes of flash are {over_flash:,} too many for the {flash_bytes:,}"
    ram_line = f"{taken:,} bytes of RAM{stack} are {over_ram:,} too many for the {ram_bytes:,}"
    lines = [line for line, over in ((flash_line, over_flash), (ram_line, over_ram)) if over]
    if lines:
        raise TooLargeError(
            f"{' and '.join(lines)} of {place}; make the program smaller or take a larger chip",
            flash_bytes=over_flash,
            ram_bytes=over_ram,
        )


def check_fits_chip(sizes: Sizes, target: Target, *, stack_bytes: int = 0) -> None:
    """The same for the target's typical chip; the host has room for everything."""
    if target.flash_bytes:
        check_fits(
            sizes,
            place=target.chip,
            flash_bytes=target.flash_bytes,
            ram_bytes=target.ram_bytes,
            stack_bytes=stack_bytes,
        )


def _sections(built: Program | Object) -> list[tuple[str, int, Memory]]:
    """Those that are loaded or have room in RAM; `.text.f` and `.text.g` are both `.text`."""
    listing = said(built.target.binutil("objdump"), ["--section-headers", "--wide", str(built.elf)])
    found = re.findall(r"^\s*\d+ (\.?\w+)(\S*)\s+([0-9a-f]+) .*?(CONTENTS.*|ALLOC.*)$", listing, re.MULTILINE)
    in_ram = (".rodata",) if built.target.emulator == "simavr" else ()
    sections: list[tuple[str, int, Memory]] = []
    for section, _function, n_bytes, flags in found:
        if "ALLOC" not in flags or int(n_bytes, 16) == 0:
            continue
        if "CONTENTS" not in flags:
            memory: Memory = "ram"
        elif ("READONLY" in flags or "CODE" in flags) and section not in in_ram:
            memory = "flash"
        else:
            memory = "both"
        sections.append((section, int(n_bytes, 16), memory))
    return sections


def _symbol_memory(kind: str) -> Memory:
    """By nm's letter: B and C are variables that begin as 0, D and G variables with a value."""
    letter = kind.upper()
    return "ram" if letter in "BCS" else "both" if letter in "DG" else "flash"
