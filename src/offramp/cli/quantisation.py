"""What `offramp quantise` tells people and scripts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offramp.cli.judged_data import Judged
from offramp.int8 import IntegerDevice
from offramp.plan.judgement import Evaluation, Quantised

Cells = list[list[str]]  # the first row is the head

BEARABLE = 0.002  # of the accuracy; what costs more is fine-tuned
_BY_CHANCE = 4  # samples; so few more or less say nothing

_WORDS = {
    "exit_accuracy": "exit right if asked",
    "tail_accuracy": "tail right if asked",
    "system_accuracy": "system right",
    "exit_rate": "exit answers",
}


@dataclass(frozen=True, eq=False)
class Measured:
    """A quantised bundle, and what it is worth with a float32 device and with one of integers."""

    found: Quantised
    float32: Evaluation
    integers: Evaluation

    @property
    def device(self) -> IntegerDevice:
        return IntegerDevice(self.found.bundle)

    def n_lost(self, reference: Evaluation) -> int:
        """Samples that exit or tail, whichever loses more, get wrong more often with integers."""
        return max(
            before - after for before, after in zip(_right(reference), _right(self.integers), strict=True)
        )


@dataclass(frozen=True, eq=False)
class Report:
    """A quantisation to be told.

    Args:
        plain: without fine-tuning.
        tuned: with it, where it was done; taken if it loses less or was asked for.
        forced: whether it was asked for.
        hindrance: why it was not done, where it was due.
    """

    plain: Measured
    fitted_to: Judged
    judged_on: Judged
    target: Path
    tuned: Measured | None = None
    forced: bool = False
    hindrance: str = ""

    @property
    def wants_fine_tuning(self) -> bool:
        """Whether integers cost more than is bearable, and more than chance explains."""
        return self._n_lost(self.plain) > max(BEARABLE * self.plain.float32.n, _BY_CHANCE)

    @property
    def chosen(self) -> Measured:
        """What is written."""
        if self.tuned and (self.forced or self._n_lost(self.tuned) < self._n_lost(self.plain)):
            return self.tuned
        return self.plain

    def summary(self) -> dict[str, Any]:
        """As JSON values."""
        device = self.chosen.device
        rule = device.quantisation.rule
        return {
            "bundle": str(self.target),
            "fitted_to": self.fitted_to.words,
            "judged_on": self.judged_on.words,
            "float32": _values(self.chosen.float32),
            "integers": _values(self.chosen.integers),
            "fine_tuned": self.chosen is self.tuned,
            "without_fine_tuning": {
                "float32": _values(self.plain.float32),
                "integers": _values(self.plain.integers),
            },
            "largest_sums": device.largest_sums,
            "rule": {
                "criterion": rule.criterion,
                "threshold": rule.threshold,
                "temperature": rule.temperature,
                "level": device.rule.threshold_level,
                "evidence": dict(rule.evidence),
            },
        }

    def worth(self) -> Cells:
        """Float32 and integers side by side."""
        ours, theirs = _values(self.chosen.integers), _values(self.chosen.float32)
        return [
            ["", "float32, %", "integers, %", "difference, points"],
            *(
                [
                    words,
                    f"{100 * theirs[name]:.2f}",
                    f"{100 * ours[name]:.2f}",
                    f"{100 * (ours[name] - theirs[name]):+.2f}",
                ]
                for name, words in _WORDS.items()
            ),
        ]

    def sums(self) -> Cells:
        """How large sums can become."""
        return [
            ["junction", "largest sum", "bits"],
            *(
                [f"{name} {number}", f"{largest:,}", str(largest.bit_length() + 1)]
                for name, sums in self.chosen.device.largest_sums.items()
                for number, largest in enumerate(sums, start=1)
            ),
        ]

    def lines(self) -> Iterator[str]:
        """In words."""
        yield from self._fine_tuning()
        rule = self.chosen.device.quantisation.rule
        calibration = self.chosen.found.calibration
        if calibration is None:
            yield (
                f"the threshold is the best on {self.fitted_to.words}, as that of the float32 exit;"
                " nothing is guaranteed on others, give --risk to certify one"
            )
        else:
            yield calibration.certificate.guarantee
        yield f"it answers at {rule.criterion} {rule.threshold:.4g}, temperature {rule.temperature:.3g}"
        yield f"written to {self.target}; next: offramp export c {shlex.quote(str(self.target))}"

    def _fine_tuning(self) -> Iterator[str]:
        cost = f"integers cost {self._points(self.plain)} points of exit or tail"
        if self.hindrance:
            yield f"{cost}; fine-tuning may help, but {self.hindrance}"
        elif self.tuned:
            cost += f", fine-tuned {self._points(self.tuned)}, against float32 before"
            if self.chosen is self.plain:
                yield f"{cost}; so nothing is fine-tuned"
            else:
                yield f"{cost}; all parts are new, so device and server both need this bundle"

    def _n_lost(self, measured: Measured) -> int:
        return measured.n_lost(self.plain.float32)

    def _points(self, measured: Measured) -> str:
        return f"{100 * self._n_lost(measured) / self.plain.float32.n:.2f}"


def _right(found: Evaluation) -> tuple[int, int]:
    """How many samples the exit gets right, and the tail."""
    (exit,) = found.verdicts.exit_right
    return int(exit.sum()), int(found.verdicts.tail_right.sum())


def _values(found: Evaluation) -> dict[str, float]:
    (exit,) = found.exits
    return {
        "exit_accuracy": exit.accuracy.value,
        "tail_accuracy": found.tail_accuracy.value,
        "system_accuracy": found.system_accuracy.value,
        "exit_rate": found.exit_rate.value,
    }
