"""Exported networks on every rung: a trained one in all its forms, and the table of cases."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.experiments.verified.cases import CASES, LARGEST
from offramp.experiments.verified.networks import Case, chance_samples, program_of, smallest
from offramp.export.c import Numbers, Program, program
from offramp.plan.footprint import footprint
from offramp.targets import TARGETS
from offramp.targets.tools import said
from offramp.verification import (
    ONNX,
    Expected,
    Rung,
    Skipped,
    Step,
    climb,
    expected,
    extremes,
    verify,
    verify_onnx,
)

Array = npt.NDArray[Any]

N_FEW = 500  # images of forms beside the main one
N_CHANCE = 40  # samples of a case, beside the extreme ones
N_SKEWED = 1500  # of a range coder's: so many for some carries that go beyond a byte
CASE_TARGETS = (  # one of each instruction set
    "host",
    "cortex-m0",
    "cortex-m4",
    "cortex-m55",
    "rv32",
    "atmega328p",
    ONNX,
)
LEVELS = ("-O0", "-Os", "-O3")
SLOW = {"atmega328p": 8.0, "cortex-m55": 2.0}  # beside other targets


@dataclass(frozen=True)
class Form:
    """A network as it was written and built, and the samples that all of it was compared on.

    Args:
        targets: of TARGETS, or ONNX.
        name: of the network.
        words: numbers, indices, ways.
        pushed: sample value by value.
    """

    name: str
    words: str
    program: Program
    samples: Array
    targets: tuple[str, ...]
    pushed: bool = False
    optimise: str = "-O2"
    defines: tuple[str, ...] = ()
    n_counted: int = 0
    weighed: bool = False

    def steps(self) -> Iterator[Step]:
        """One for each target."""
        wanted = expected(self.program, self.samples)
        for name in self.targets:
            cost = len(self.samples) * SLOW.get(name, 1.0)
            yield Step(name, partial(self._rung, name, wanted), cost=cost)

    def _rung(self, name: str, wanted: Expected) -> Rung:
        if name == ONNX:
            return verify_onnx(self.program, wanted, self.samples)
        rung = verify(
            self.program,
            wanted,
            self.samples,
            TARGETS[name],
            pushed=self.pushed,
            n_counted=self.n_counted,
            optimise=self.optimise,
            defines=self.defines,
        )
        if not self.weighed or not TARGETS[name].emulator:
            return rung
        taken = footprint(self.program, name)
        return replace(rung, flash_bytes=taken.flash_bytes, ram_bytes=taken.ram_bytes)


@dataclass(frozen=True)
class Held:
    """A form, and what came of it."""

    form: Form
    rungs: tuple[Rung, ...]
    skipped: tuple[Skipped, ...]

    @property
    def mismatches(self) -> int:
        return sum(rung.mismatches for rung in self.rungs)

    @property
    def compared(self) -> int:
        """Numbers, on all targets."""
        return sum(rung.activations_compared for rung in self.rungs)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        form = self.form
        return {
            "name": form.name,
            "form": form.words,
            "optimise": form.optimise,
            "defines": list(form.defines),
            "targets": [_rung_dict(rung) for rung in self.rungs],
            "skipped": [asdict(one) for one in self.skipped],
        }


@dataclass(frozen=True, kw_only=True)
class Verified:
    """All of it; the first form is the main one.

    Args:
        command: how to get the same.
        samples: in words, those of the main form.
    """

    held: tuple[Held, ...]
    samples: str
    command: str
    environment: Mapping[str, Any]
    seconds: float

    @property
    def mismatches(self) -> int:
        return sum(one.mismatches for one in self.held)

    @property
    def compared(self) -> int:
        return sum(one.compared for one in self.held)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        main, *others = (one.to_dict() for one in self.held)
        return main | {
            "samples": self.samples,
            "mismatches": self.mismatches,
            "activations_compared": self.compared,
            "networks": others,
            "seconds": self.seconds,
            "command": self.command,
            "environment": dict(self.environment),
        }


def forms_of(
    bundle: Bundle, samples: Array, targets: Sequence[str], numbers: Sequence[Numbers]
) -> Iterator[Form]:
    """A network input by input and output by output; the first on all samples, the others on few of them.

    Integers are built in more ways: without instructions that take several at once, and optimised otherwise.
    """
    processors = tuple(name for name in targets if name != ONNX)
    for kind in numbers:
        choices: dict[bool, Program] = {
            streaming: program(bundle, kind, smallest, streaming=streaming) for streaming in (True, False)
        }
        for streaming, written in choices.items():
            all_of_them = streaming and kind == numbers[0]
            yield Form(
                name=bundle.name,
                words=_words(written),
                program=written,
                samples=np.concatenate([samples if all_of_them else samples[:N_FEW], extremes(written)]),
                targets=tuple(targets) if all_of_them and kind == "int8" else processors,
                pushed=streaming,
                n_counted=1000 if all_of_them else 100,
                weighed=all_of_them,
            )
        if kind == "int8":
            yield from _built_otherwise(bundle.name, choices[False], samples[:N_FEW], processors)


def _built_otherwise(name: str, written: Program, samples: Array, names: tuple[str, ...]) -> Iterator[Form]:
    few = np.concatenate([samples, extremes(written)])
    if simd := tuple(one for one in names if TARGETS[one].features):
        scalar = ("OFFRAMP_SCALAR",)
        yield Form(name, f"{_words(written)}; scalar", written, few, simd, defines=scalar)
    for level in LEVELS:
        yield Form(name, f"{_words(written)}; {level}", written, few, names, optimise=level)


def forms_of_cases(targets: Sequence[str], cases: Sequence[Case] = (*CASES, LARGEST)) -> Iterator[Form]:
    """The table of cases, on one target of each instruction set."""
    for case in cases:
        known = CASE_TARGETS if case.numbers == "int8" else CASE_TARGETS[:-1]
        names = tuple(name for name in known if name in targets)
        written = program_of(case)
        n = N_SKEWED if case.skewed else N_CHANCE
        samples = np.concatenate([chance_samples(case, n, np.random.default_rng(1)), extremes(written)])
        if case is LARGEST:  # samples of 65,535 values, and tables that an AVR cannot address
            samples = np.concatenate([samples[::16], samples[-4:]])  # the last ones drive sums to their ends
            names = tuple(name for name in names if name != "atmega328p")
        yield Form(case.name, _words(written), written, samples, names, pushed=case.pushed)


def tools_of(targets: Sequence[str]) -> dict[str, str]:
    """The versions of the compilers and emulators that are here."""
    known = [TARGETS[name] for name in targets if name in TARGETS]
    tools = {tool.command: tool for target in known for tool in target.tools if tool.path()}
    return {
        command: _version(said(tool, ["--version"]).splitlines()[0])
        for command, tool in tools.items()
        if not command.startswith("/")  # a header
    }


def verified(
    forms: Sequence[Form],
    *,
    samples: str,
    command: str,
    environment: Mapping[str, Any],
    workers: int = 2,
    done: Callable[[], None] = lambda: None,
) -> Verified:
    """All forms on all their targets.

    Args:
        workers: targets at a time.
        done: is called when a form has ended on a target.

    Raises:
        ToolchainError: as `climb`.
    """
    started = time.perf_counter()
    steps = [list(form.steps()) for form in forms]
    ends = climb([step for own in steps for step in own], workers=workers, done=lambda step: done())
    held, at = [], 0
    for form, own in zip(forms, steps, strict=True):
        found = ends[at : at + len(own)]
        at += len(own)
        rungs = tuple(one for one in found if isinstance(one, Rung))
        held.append(Held(form, rungs, tuple(one for one in found if isinstance(one, Skipped))))
    return Verified(
        held=tuple(held),
        samples=samples,
        command=command,
        environment=environment,
        seconds=time.perf_counter() - started,
    )


def _version(line: str) -> str:
    """What a tool's first line says of it, but for the packager's own numbers in brackets."""
    found = re.search(r"\d+(\.\d+)+", re.sub(r"\(.*?\)", "", line))
    return found[0] if found else line


def _words(written: Program) -> str:
    """What a program is, in short."""
    kinds: list[str] = [junction.encoding.kind for name in written.parts for junction in written.parts[name]]
    if written.streamed is not None:
        kinds[0:1] = ["input by input"]
    rule = written.rule.rule
    return f"{written.numbers}; {', '.join(kinds)}; {written.bundle.codec.name}; {rule.criterion}"


def _rung_dict(rung: Rung) -> dict[str, Any]:
    return {
        "name": rung.name,
        "images": rung.images,
        "activations_compared": rung.activations_compared,
        "mismatches": rung.mismatches,
        "flash_bytes": rung.flash_bytes,
        "ram_bytes": rung.ram_bytes,
        "instructions_per_image": rung.mean,
        "unit": rung.unit or None,
        "most_per_image": rung.most,
        "seconds": rung.seconds,
    }
