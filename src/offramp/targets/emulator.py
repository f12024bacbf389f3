"""How a program is run: natively, under QEMU or under simavr."""

from pathlib import Path

from offramp.errors import ConfigError
from offramp.targets.target import SHIFT, SUPPORT, TARGETS, Target
from offramp.targets.tools import found, said


def command(target: Target, elf: Path, *, serial_port: int | None = None) -> list[str]:
    """What runs the program; the program's files are in the working directory.

    Raises:
        ConfigError: a serial port on a target that has none here.
        MissingDependencyError: the emulator is not installed.
    """
    if serial_port is not None and not target.has_serial:
        have = ", ".join(name for name, each in TARGETS.items() if each.has_serial)
        raise ConfigError(f"{target.name} has no serial port here; {have} have")
    if target.emulator == "simavr":
        return _simavr(target, elf)
    if target.emulator == "qemu":
        (qemu,) = target.emulator_tools
        serial = (
            "none" if serial_port is None else f"tcp:127.0.0.1:{serial_port},server=on,wait=on,nodelay=on"
        )
        return [
            found(qemu),
            *("-M", target.machine, "-display", "none", "-monitor", "none", "-serial", serial),
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
