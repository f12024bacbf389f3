"""A footprint by the target's own compiler and emulator."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from offramp.export.c import Program, write_code
from offramp.plan.footprint.parts import buffers, functions, junction_footprints, tables
from offramp.plan.footprint.record import Footprint
from offramp.plan.footprint.samples import N_SAMPLES, samples
from offramp.targets import Program as Built
from offramp.targets import Sizes, Target, build, compile_object, scratch, sizes, stack
from offramp.targets.tools import said


def measured(
    program: Program, target: Target, *, optimise: str = "-O2", zero_share: float = 0.0
) -> Footprint:
    """A footprint from the real toolchain.

    Args:
        optimise: the compiler's option.
        zero_share: of the head's inputs, in the samples that are counted.

    Raises:
        MissingDependencyError, ToolchainError, TooLargeError: as `targets.build` and `Program.run`.
    """
    with scratch() as folder:
        probe, code = _write(program, folder)
        text = code.read_text(encoding="utf-8")
        pushes = ("PUSHED",) if program.streamed is not None else ()

        def linked(kind: str, *defines: str) -> Built:
            return build(
                target,
                [probe, code],
                folder=folder / kind,
                include=[folder],
                defines=defines,
                optimise=optimise,
            )

        in_use = linked("in_use", *pushes)
        made = compile_object(target, code, folder=folder, include=[folder], optimise=optimise)
        stacks = {name: stack(made, f"{program.prefix}_{name}") for name in functions(program)}
        data = samples(program, zero_share)
        return Footprint(
            target=target.name,
            numbers=program.numbers,
            streaming=program.streamed is not None,
            unit=target.unit,
            measured_by=f"{_version(target)} {optimise}, {target.emulator} as {target.machine}",
            flash=_flash(text, program, sizes(in_use), sizes(linked("empty", *pushes, "EMPTY")), sizes(made)),
            ram={"static": sizes(made).ram_bytes, **buffers(program)},
            stack={name: one.n_bytes for name, one in stacks.items()},
            stack_unknown=tuple(sorted({name for one in stacks.values() for name in one.unknown})),
            counts=_counts(linked("whole").run(data).intervals),
            pushed=_pushed(in_use.run(data).intervals) if pushes else None,
            junctions=junction_footprints(
                program,
                target.name,
                _by_junction(program, linked("traced", "OFFRAMP_TRACE").run(data).intervals),
                zero_share,
            ),
        )


def _write(program: Program, folder: Path) -> tuple[Path, Path]:
    """Into a folder: the program that calls exported code, and this; gives their sources in this order."""
    probe = resources.files("offramp.plan.footprint").joinpath("probe.c").read_text(encoding="utf-8")
    probe = probe.replace("@prefix@", program.prefix).replace("@PREFIX@", program.upper)
    (folder / "probe.c").write_text(probe, encoding="utf-8")
    return folder / "probe.c", write_code(program, folder)


def _flash(text: str, program: Program, whole: Sizes, empty: Sizes, alone: Sizes) -> dict[str, int]:
    """What the code adds to a program that does not call it, by kind; the calls themselves are not counted.

    By symbols, as sections are rounded up; what has no symbol, as constants of the compiler, by the object.
    """
    own = {symbol.name for symbol in alone.symbols}
    others = own | {symbol.name for symbol in empty.symbols}
    linked = [symbol for symbol in whole.symbols if symbol.name in own]
    known = tables(program, text, {symbol.name for symbol in linked})
    nameless = alone.flash_bytes - sum(symbol.n_bytes for symbol in alone.symbols)
    code = sum(symbol.n_bytes for symbol in linked) - sum(known.values()) + nameless
    library = sum(symbol.n_bytes for symbol in whole.symbols if symbol.name not in others)
    return {"code": code, "library": library, **known}


def _counts(intervals: tuple[int, ...]) -> dict[str, int]:
    """Means of the samples."""
    return dict(zip(("head", "exit", "encode"), map(round, _means(intervals)), strict=True))


def _pushed(intervals: tuple[int, ...]) -> int:
    """The mean of the head's, begun, pushed and ended."""
    *head, _exit, _encode = _means(intervals)
    return round(sum(head))


def _means(intervals: tuple[int, ...]) -> list[float]:
    """Of each interval of a sample, over the samples."""
    n = len(intervals) // N_SAMPLES
    return [sum(intervals[i::n]) / N_SAMPLES for i in range(n)]


def _by_junction(program: Program, intervals: tuple[int, ...]) -> dict[str, int]:
    """Means of the samples: every call is cut where a junction ends."""
    mean = iter(_means(intervals))
    made = {}
    for part in ("head", "exit", "encoder"):
        for number, _ in enumerate(program.parts.get(part, ()), start=1):
            made[f"{part} {number}"] = round(next(mean))
        next(mean)  # behind the last junction: verdict, coding
    return made


def _version(target: Target) -> str:
    """The compiler's name and version, as it says them."""
    return f"{target.compiler.command} {said(target.compiler, ['-dumpversion']).strip()}"
