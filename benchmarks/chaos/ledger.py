"""What all lives of a device said, one after the other, and what that adds up to."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """Promises and outcomes, by the ids of samples, which end in the number of their row.

    Args:
        labels: what the tail says to each row.
    """

    labels: Sequence[int]
    promised: set[str] = field(default_factory=set)
    outcomes: dict[str, list[int]] = field(default_factory=dict)  # as often as they were handed over
    acknowledged: set[str] = field(default_factory=set)
    duplicated: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    n_final: int = 0
    left: int | None = None  # pending in the end
    repeated: int = 0  # answers to offloads that had one

    def hear(self, line: str) -> None:
        """One line of a device; what it was about to say when it was killed may be cut short."""
        match line.split():
            case ["promised", id]:
                self.promised.add(id)
            case ["final", _]:
                self.n_final += 1
            case ["refined", id, label]:
                self._told(id, int(label))
            case ["given-up", id, label]:
                self.given_up.add(id)
                self._told(id, int(label))
            case ["acknowledged", id]:
                self.acknowledged.add(id)
            case ["counts", pending, repeated]:
                self.left, self.repeated = int(pending), int(repeated)
            case ["up"]:
                pass
            case _:
                raise ValueError(f"a device said {line!r}")

    @property
    def refined(self) -> int:
        """Samples that have the tail's answer."""
        return len(self.outcomes.keys() - self.given_up)

    @property
    def lost(self) -> int:
        """Promises without the tail's answer."""
        return len(self.promised - (self.outcomes.keys() - self.given_up))

    @property
    def handed_again(self) -> int:
        """Outcomes that came again, as they may, since a kill came between hand-over and acknowledgement."""
        return sum(len(told) > 1 for told in self.outcomes.values()) - len(self.duplicated)

    @property
    def wrong(self) -> int:
        """Samples whose outcome is not what the tail says."""
        return sum(
            told[-1] != self.labels[int(id.rpartition("-")[2])]
            for id, told in self.outcomes.items()
            if id not in self.given_up
        )

    def _told(self, id: str, label: int) -> None:
        before = self.outcomes.setdefault(id, [])
        if id in self.acknowledged or any(label != other for other in before):
            self.duplicated.add(id)
        before.append(label)
