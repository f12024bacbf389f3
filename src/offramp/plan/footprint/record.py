"""The numbers of a footprint, and whether a chip has room for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from offramp.targets import TARGETS, Sizes
from offramp.targets.sizes import check_fits


@dataclass(frozen=True)
class Candidate:
    """A way to write a junction, with the price that the choice was made by.

    Args:
        together: rows that are added up at once.
        count: in the target's unit, without what becomes of the sums.
    """

    encoding: str
    together: int
    flash_bytes: int
    count: int


@dataclass(frozen=True)
class JunctionFootprint:
    """What one junction takes.

    Args:
        flash: bytes of its tables, by kind.
        count: instructions or cycles of one sample; those of the first with what makes its inputs.
        candidates: the least flash first; the chosen one is among them.
    """

    name: str
    n_in: int
    n_out: int
    in_degree: int
    block: tuple[int, int]
    encoding: str
    together: int
    flash: Mapping[str, int]
    count: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Footprint:
    """What the exported code takes of one target; the caller's own code, and its harness, are not in it.

    Args:
        unit: of all counts: instructions or cycles.
        measured_by: the toolchain and the emulator, or "own count".
        flash: bytes by kind: code, library (what it needs of the compiler's), weights, index, biases,
            multipliers, tables (all others).
        ram: bytes by what: static (of the code itself), and the buffers that a caller gives.
        stack: bytes by function; a caller needs the largest.
        stack_unknown: functions of the library whose stack nobody states.
        counts: by step of a sample that lies in one buffer: head, exit, encode.
        pushed: the head's count where a sample comes value by value; None where it cannot.
    """

    target: str
    numbers: str
    streaming: bool
    unit: str
    measured_by: str
    flash: Mapping[str, int]
    ram: Mapping[str, int]
    stack: Mapping[str, int]
    stack_unknown: tuple[str, ...]
    counts: Mapping[str, int]
    pushed: int | None
    junctions: tuple[JunctionFootprint, ...]

    @property
    def flash_bytes(self) -> int:
        """All of it."""
        return sum(self.flash.values())

    @property
    def stack_bytes(self) -> int:
        """Of the deepest function."""
        return max(self.stack.values())

    @property
    def ram_bytes(self) -> int:
        """Static, buffers and stack."""
        return sum(self.ram.values()) + self.stack_bytes

    @property
    def count(self) -> int:
        """Of a sample that is sent: all steps."""
        return sum(self.counts.values())

    @property
    def index_share(self) -> float:
        """Of the index in flash."""
        return self.flash["index"] / self.flash_bytes

    def check_fits(self, *, flash_bytes: int | None = None, ram_bytes: int | None = None) -> None:
        """Nothing, where a chip has room: the target's typical one, or one with so much.

        Raises:
            TooLargeError: it says by how many bytes of what.
        """
        target = TARGETS[self.target]
        chip = flash_bytes is None and ram_bytes is None
        check_fits(
            Sizes(self.flash, self.ram, ()),
            place=f"{target.chip}, a typical {target.name}" if chip else "the chip",
            flash_bytes=target.flash_bytes if flash_bytes is None else flash_bytes,
            ram_bytes=target.ram_bytes if ram_bytes is None else ram_bytes,
            stack_bytes=self.stack_bytes,
        )

    def to_json(self) -> dict[str, Any]:
        """All numbers, as JSON values."""
        totals = {
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
            "count": self.count,
            "index_share": self.index_share,
        }
        return {"chip": TARGETS[self.target].chip} | asdict(self) | totals
