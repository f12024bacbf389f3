"""How deep a function's stack can go: the frames that the compiler states, along the deepest calls."""

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from offramp.errors import ToolchainError
from offramp.targets.program import Object
from offramp.targets.tools import said

# What calls, in any target's assembler; whatever else leads to a function's begin from within is a loop.
CALLS = frozenset({"bl", "call", "rcall", "jal", "auipc"})


@dataclass(frozen=True)
class Stack:
    """A bound for a function and all that it calls.

    Args:
        n_bytes: frames and return addresses of the deepest chain.
        unknown: functions of other files, such as `memcpy`, that are called but whose stack nobody states.
    """

    n_bytes: int
    unknown: tuple[str, ...] = ()


def stack(built: Object, function: str) -> Stack:
    """The deepest that the stack goes below the caller of `function`.

    Calls are read from the relocations of its code, so a function whose address is taken counts as called.

    Raises:
        ToolchainError: there is no such function, or its depth has no bound.
    """
    frames = _frames(built)
    if function not in frames:
        raise ToolchainError(
            f"{built.elf.name} has no function {function}; it has {', '.join(sorted(frames))}"
        )
    calls, outside = _calls(built, frames.keys())
    unknown: set[str] = set()

    def depth(name: str, chain: tuple[str, ...]) -> int:
        if name in chain:
            raise ToolchainError(f"{function} calls {name} within itself: its stack has no bound")
        unknown.update(outside[name])
        below = max((depth(called, (*chain, name)) for called in calls[name]), default=0)
        return frames[name] + below

    return Stack(depth(function, ()), tuple(sorted(unknown)))


def _frames(built: Object) -> dict[str, int]:
    """By name without what the compiler appends to its clones; the largest of these."""
    frames: dict[str, int] = {}
    for line in built.elf.with_suffix(".su").read_text().splitlines():
        place, n_bytes, kind = line.split("\t")
        name = _plain(place.rsplit(":", 1)[1])
        if kind == "dynamic":
            raise ToolchainError(f"{name} takes stack as it runs: its stack has no bound")
        frames[name] = max(frames.get(name, 0), int(n_bytes))
    return frames


def _calls(built: Object, known: Collection[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Who names which function of this file, and which of others."""
    target = built.target
    undefined = set(said(target.binutil("nm"), ["--undefined-only", "-f", "posix", str(built.elf)]).split())
    listing = said(
        target.binutil("objdump"), ["--disassemble", "--reloc", "--no-show-raw-insn", str(built.elf)]
    )
    calls: dict[str, set[str]] = defaultdict(set)
    outside: dict[str, set[str]] = defaultdict(set)
    within = mnemonic = branch = ""
    for line in listing.splitlines():
        relocation = re.match(r"\s+[0-9a-f]+: R_\w+\s+(?:\.text\.)?([\w.]+)(?:-0x4)?$", line)
        if relocation:
            branch = relocation[1]
        # A branch without a relocation was resolved by the assembler, so it stays within the function.
        called = _plain(branch)
        if called in known and (called != within or mnemonic in CALLS):
            calls[within].add(called)
        elif relocation and branch in undefined:
            outside[within].add(branch)
        if (begins := re.match(r"[0-9a-f]+ <([^>]+)>:$", line)) and _plain(begins[1]) in known:
            within = _plain(begins[1])
        branch = ""
        if instruction := re.match(r"\s+[0-9a-f]+:\t(\w+)[^<]*(?:<([^>+]+)>)?", line):
            mnemonic, branch = instruction[1], instruction[2] or ""
    return calls, outside


def _plain(name: str) -> str:
    return name.split(".", 1)[0]
