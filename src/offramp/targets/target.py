"""The processors that C is built for: compiler, emulator, and a typical chip to compare with."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Literal

SUPPORT = Path(__file__).parent / "support"
KIB = 1024
MIB = 1024 * KIB
# Virtual time of one instruction under QEMU is 2**SHIFT ns. So short that two million of them do not outrun
# the 24 bits of SysTick, so long that a tick is a fraction of an instruction on every machine.
SHIFT = 8


@dataclass(frozen=True)
class Memory:
    """Where the emulated machine has program and data; more than a chip has, so that anything is verified."""

    flash_origin: int
    flash_bytes: int
    ram_origin: int
    ram_bytes: int


@dataclass(frozen=True)
class Tool:
    """A program, or the path of a header, that must be installed; and the Debian packages which have it."""

    command: str
    packages: str

    def path(self) -> str | None:
        """Where it is; None where it is not installed."""
        if self.command.startswith("/"):
            return self.command if os.path.exists(self.command) else None
        return shutil.which(self.command)


@dataclass(frozen=True)
class Target:
    """One processor.

    Args:
        flags: of the compiler, beside those that all targets share.
        support: the harness's files in `support/`.
        chip: a typical part with this processor, which has `flash_bytes` and `ram_bytes`; 0 is no limit.
        emulator, machine: what runs a program and as which of its machines; natively where there is none.
        memory: for the linker; a chip's own linker script has it where this is None.
        features: macros which say that the compiler may use more than the scalar core.
        unit: what a run counts; "" for nothing.
        counts_per_unit: what the harness's counter advances by for one unit.
    """

    name: str
    compiler: Tool
    flags: tuple[str, ...]
    support: tuple[str, ...]
    chip: str
    flash_bytes: int
    ram_bytes: int
    emulator: Literal["", "qemu", "simavr"] = ""
    emulator_tools: tuple[Tool, ...] = ()
    machine: str = ""
    memory: Memory | None = None
    features: tuple[str, ...] = ()
    unit: Literal["", "instructions", "cycles"] = ""
    counts_per_unit: Fraction = Fraction(1)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What building and running takes."""
        return (self.compiler, *self.emulator_tools)

    @property
    def has_serial(self) -> bool:
        """Whether programs can use `serial.h`."""
        return "cmsdk_uart.c" in self.support

    def binutil(self, name: str) -> Tool:
        """`nm`, `size`, `objdump`... of this target."""
        prefix = self.compiler.command.removesuffix("gcc")
        return Tool(prefix + name, self.compiler.packages)


ARM_GCC = Tool("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
HOST_GCC = Tool("gcc", "gcc libc6-dev")
MPS2 = Memory(0x0000_0000, 4 * MIB, 0x2000_0000, 4 * MIB)


def _cortex_m(
    name: str,
    *flags: str,
    chip: tuple[str, int, int],
    machine: str,
    memory: Memory,
    clock_hz: int,
    features: tuple[str, ...] = (),
    serial: tuple[str, ...] = (),
) -> Target:
    return Target(
        name=name,
        compiler=ARM_GCC,
        flags=(f"-mcpu={name}", "-mthumb", "--specs=nano.specs", *flags),
        support=("bare.c", "cortex_m.c", *serial),
        chip=chip[0],
        flash_bytes=chip[1] * KIB,
        ram_bytes=chip[2] * KIB,
        emulator="qemu",
        emulator_tools=(Tool("qemu-system-arm", "qemu-system-arm"),),
        machine=machine,
        memory=memory,
        features=features,
        unit="instructions",
        counts_per_unit=Fraction(clock_hz * 2**SHIFT, 10**9),
    )


_ALL = (
    Target(
        name="host",
        compiler=HOST_GCC,
        flags=("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
        support=("host.c",),
        chip="this machine, with AddressSanitizer and UndefinedBehaviorSanitizer",
        flash_bytes=0,
        ram_bytes=0,
    ),
    _cortex_m(
        "cortex-m0",
        chip=("STM32F030R8", 64, 8),
        machine="microbit",
        memory=Memory(0x0000_0000, 256 * KIB, 0x2000_0000, 16 * KIB),
        clock_hz=16_000_000,
    ),
    _cortex_m(
        "cortex-m3",
        chip=("STM32F103C8", 64, 20),
        machine="mps2-an385",
        memory=MPS2,
        serial=("cmsdk_uart.c",),
        clock_hz=25_000_000,
    ),
    _cortex_m(
        "cortex-m4",
        "-mfloat-abi=hard",
        "-mfpu=fpv4-sp-d16",
        chip=("STM32F401CC", 256, 64),
        machine="mps2-an386",
        memory=MPS2,
        serial=("cmsdk_uart.c",),
        clock_hz=25_000_000,
        features=("__ARM_FEATURE_DSP",),
    ),
    _cortex_m(
        "cortex-m7",
        "-mfloat-abi=hard",
        "-mfpu=fpv5-d16",
        chip=("STM32F722RE", 512, 256),
        machine="mps2-an500",
        memory=MPS2,
        serial=("cmsdk_uart.c",),
        clock_hz=25_000_000,
        features=("__ARM_FEATURE_DSP",),
    ),
    _cortex_m(
        "cortex-m55",
        "-mfloat-abi=hard",
        chip=("Apollo510", 4096, 3840),
        machine="mps3-an547",
        memory=Memory(0x0000_0000, 512 * KIB, 0x2000_0000, 512 * KIB),
        clock_hz=32_000_000,
        features=("__ARM_FEATURE_DSP", "__ARM_FEATURE_MVE"),
    ),
    Target(
        name="rv32",
        compiler=Tool("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"),
        flags=("-march=rv32imac", "-mabi=ilp32", "-fno-asynchronous-unwind-tables", "--specs=picolibc.specs"),
        support=("bare.c", "riscv.c"),
        chip="GD32VF103CB",
        flash_bytes=128 * KIB,
        ram_bytes=32 * KIB,
        emulator="qemu",
        emulator_tools=(Tool("qemu-system-riscv32", "qemu-system-misc"),),
        machine="virt",
        memory=Memory(0x8000_0000, 4 * MIB, 0x8400_0000, 4 * MIB),
        unit="instructions",
    ),
    Target(
        name="atmega328p",
        compiler=Tool("avr-gcc", "gcc-avr avr-libc"),
        flags=("-mmcu=atmega328p",),
        support=("avr.c",),
        chip="ATmega328P",
        flash_bytes=32 * KIB,
        ram_bytes=2 * KIB,
        emulator="simavr",
        emulator_tools=(HOST_GCC, Tool("/usr/include/simavr/sim_avr.h", "libsimavr-dev")),
        machine="atmega328p",
        unit="cycles",
    ),
)

TARGETS: Mapping[str, Target] = MappingProxyType({target.name: target for target in _ALL})
