"""What a ladder says, in tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator

from offramp.experiments.verified.study import Held, Verified
from offramp.targets import TARGETS
from offramp.verification import Rung

INTRODUCTION = (
    "What `offramp export c` writes, run on emulated processors and compared number by number with the"
    " reference in NumPy: activations of every layer, scores, class, level and verdict of the exit, and the"
    " bytes for the tail. A number that differs in one bit is a mismatch. Every warning of a compiler is an"
    " error."
)


def main_table(verified: Verified) -> list[list[str]]:
    """The main form, target by target."""
    head = ["target", "compiled for", "images", "numbers compared", "mismatches"]
    head += ["flash, bytes", "RAM, bytes", "an image, mean", "most", "seconds"]
    return [head, *(_rung_row(rung) for rung in verified.held[0].rungs)]


def _rung_row(rung: Rung) -> list[str]:
    counted = rung.mean is not None and rung.most is not None
    return [
        rung.name,
        TARGETS[rung.name].chip if rung.name in TARGETS else "",
        f"{rung.images:,}",
        f"{rung.activations_compared:,}",
        f"{rung.mismatches:,}",
        "-" if rung.flash_bytes is None else f"{rung.flash_bytes:,}",
        "-" if rung.ram_bytes is None else f"{rung.ram_bytes:,}",
        f"{rung.mean:,.0f} {rung.unit}" if counted else "-",
        f"{rung.most:,}" if counted else "-",
        f"{rung.seconds:.1f}",
    ]


def forms_table(verified: Verified) -> list[list[str]]:
    """All other forms, a line each."""
    head = ["network", "form", "targets", "samples", "numbers compared", "mismatches"]
    return [head, *(_form_row(held) for held in verified.held[1:])]


def _form_row(held: Held) -> list[str]:
    return [
        held.form.name,
        held.form.words,
        " ".join(rung.name for rung in held.rungs) or "-",
        f"{len(held.form.samples):,}",
        f"{held.compared:,}",
        f"{held.mismatches:,}",
    ]


def findings(verified: Verified) -> Iterator[str]:
    """In sentences: what was held, what was skipped, and why."""
    n_targets = len({rung.name for held in verified.held for rung in held.rungs})
    yield (
        f"{verified.mismatches:,} of {verified.compared:,} numbers differ, in {len(verified.held)} forms on"
        f" {n_targets} targets; {verified.seconds:.0f} s."
    )
    reasons: dict[tuple[str, str], list[str]] = {}
    for held in verified.held:
        for one in held.skipped:
            reasons.setdefault((one.name, one.reason), []).append(held.form.name)
    for (name, reason), networks in reasons.items():
        which = "" if len(networks) == len(verified.held) else f" of {', '.join(dict.fromkeys(networks))}"
        yield f"Skipped: {name}{which}: {reason}."
