"""What became of a provisional answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offramp.runtime.journal import Refinement


@dataclass(frozen=True, slots=True)
class Refined:
    """The last word on a sample whose first answer was provisional.

    Args:
        id: the sample's.
        label, name, confidence: the tail's class number, its name and the largest softmax; the exit's where
            the tail was given up.
        provisional_label, provisional_name: what was said first.
        retracted: the first answer was wrong by the tail: bring the part back.
        reason: why the tail was given up, None where it answered.
        waited_s: from the provisional answer to now, by the device's clock.
    """

    id: str
    label: int
    name: str
    confidence: float
    provisional_label: int
    provisional_name: str
    retracted: bool
    reason: str | None
    waited_s: float

    @classmethod
    def of(cls, kept: Refinement, classes: Sequence[str], now_s: float) -> Refined:
        """From what the journal keeps; one of an earlier network may have classes that this one has not."""

        def name(label: int) -> str:
            return classes[label] if label < len(classes) else str(label)

        final, first = kept.final, kept.provisional.label
        return cls(
            id=kept.id,
            label=final.label,
            name=name(final.label),
            confidence=final.confidence,
            provisional_label=first,
            provisional_name=name(first),
            retracted=kept.retracted,
            reason=kept.reason,
            waited_s=max(0.0, now_s - kept.created_s),
        )
