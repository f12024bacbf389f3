"""How a program is run: natively, under QEMU or under simavr."""

from pathlib import Path

from offramp.targets.target import SHIFT, SUPPORT, Target
from offramp.targets.tools import found, said


def command(target: Target, elf: Path) -> list[str]:
    """What runs the program; the program's files are in the working directory.

    Raises:
        MissingDependencyError: the emulator is not installed.
    """
    if target.emulator == "simavr":
        return _simavr(target, elf)
    if target.emulator == "qemu":
        (qemu,) = target.emulator_tools
        return [
            found(qemu),
            *("-M", target.machine, "-display", "none", "-monitor", "none", "-serial", "none"),
            *("-semihosting-config", "enable=on,target=native"),
            *("-icount", f"shift={SHIFT},align=off,sleep=off", "-bios", "none", "-kernel", str(elf)),
        ]
    return [str(elf)]


def _simavr(target: Target, elf: Path) -> list[str]:
    """simavr is a library: its runner and the content of the flash are made beside the program, once."""
    runner, flash = elf.with_name("avr_runner"), elf.with_suffix(".bin")
    gcc, header = target.emulator_tools
    found(header)
    if not runner.exists():
        said(target.binutil("objcopy"), ["-O", "binary", "-j", ".text", "-j", ".data", str(elf), str(flash)])
        said(gcc, ["-std=c99", "-O2", str(SUPPORT / "avr_runner.c"), "-o", str(runner), "-lsimavr"])
    return [str(runner), target.machine, str(flash)]
