"""The footprint of a program: from the real toolchain where it is installed, by our own count otherwise."""

from __future__ import annotations

from dataclasses import replace

from offramp.errors import TooLargeError
from offramp.export.c import Program, source
from offramp.export.c.chosen import zero_share as zero_share_of
from offramp.export.c.costs import check_target
from offramp.plan.footprint.counted import OWN_COUNT, counted
from offramp.plan.footprint.measured import measured
from offramp.plan.footprint.parts import tables
from offramp.plan.footprint.record import Footprint
from offramp.targets import TARGETS, missing


def footprint(
    program: Program, target: str, *, toolchain: bool | None = None, zero_share: float | None = None
) -> Footprint:
    """What a program takes of a target.

    Args:
        toolchain: whether to build and run it with the target's tools; None where they are installed, and the
            emulated machine has room.
        zero_share: of the head's inputs; None for what the quantisation saw, or 0.

    Raises:
        ConfigError: an unknown target.
        MissingDependencyError, TooLargeError, ToolchainError: the tools were asked for, and are not there, or
            cannot.
    """
    check_target(target)
    chip = TARGETS[target]
    share = zero_share_of(program.bundle) if zero_share is None else zero_share
    reason = "as asked for"
    if chip.flash_bytes and sum(tables(program, source(program)).values()) > chip.flash_bytes:
        reason = f"its tables alone are more than {chip.chip} holds"  # avr-gcc knows no arrays as large
    elif toolchain is not False:
        reason = "" if toolchain else missing(chip)
        if not reason:
            try:
                return measured(program, chip, zero_share=share)
            except TooLargeError:
                if toolchain:
                    raise
                reason = f"with its test program it is too large for {chip.machine}"
    return replace(counted(program, chip, zero_share=share), measured_by=f"{OWN_COUNT}: {reason}")
