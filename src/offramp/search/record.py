"""What a search has trained so far."""

from dataclasses import dataclass, field

from offramp.search.candidate import Candidate


@dataclass(frozen=True)
class Training:
    """One training of a candidate: its epochs, the validation accuracy after the last (0..1), its time."""

    trial: int
    epochs: int
    accuracy: float
    seconds: float


@dataclass(eq=False)
class Entry:
    """A candidate and how it did, by epochs."""

    trial: int
    candidate: Candidate
    trainings: dict[int, Training] = field(default_factory=dict)

    @property
    def last(self) -> Training:
        """The longest of its trainings."""
        return self.trainings[max(self.trainings)]
