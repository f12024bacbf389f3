"""A certified threshold, and what can be said of it."""

from __future__ import annotations

from dataclasses import dataclass

from offramp.exits.guarantee.bounds import upper_bounds
from offramp.exits.guarantee.tally import ACCURACY_DROP, DISAGREEMENT, EXITED_ERROR
from offramp.exits.rule import NEVER

CRC = "crc"  # the method without p-values: its guarantee is in the mean

_RISKS = {
    ACCURACY_DROP: "the accuracy lost against always asking the tail is",
    EXITED_ERROR: "the share of wrong answers among those that exits give is",
    DISAGREEMENT: "the share of answers that are not the tail's is",
}


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The threshold with the largest exit rate that could be certified, NEVER if none could.

    Args:
        measure, method, bound, risk, confidence: what was asked; bound is None for crc, which has none.
        threshold: for an `ExitRule`, the same for all exits.
        exit_rate, edge_exit_rate: shares of the certifying samples that an exit answers, and that one on the
            device does.
        n, n_fitted: samples that were certified on, and prepared with.
        n_thresholds: that came into question.
        n_judged, n_losses, n_gains: at the threshold, of the certifying samples: those that the measure
            counts, and how many of them have loss 1 and -1. `ucb` and `crc` count for several exits the
            largest loss at this threshold or a larger one.
        p_value: of "the risk is larger" at this threshold; None for crc and where nothing was certified.
    """

    measure: str
    method: str
    bound: str | None
    risk: float
    confidence: float
    threshold: float
    exit_rate: float
    edge_exit_rate: float
    n: int
    n_fitted: int
    n_thresholds: int
    n_judged: int
    n_losses: int
    n_gains: int
    p_value: float | None

    @property
    def never(self) -> bool:
        """Whether no threshold could be certified: the tail must answer everything."""
        return self.threshold == NEVER

    @property
    def empirical_risk(self) -> float:
        """On the certifying samples; 0 where no sample counts."""
        return (self.n_losses - self.n_gains) / self.n_judged if self.n_judged else 0.0

    @property
    def upper_bound(self) -> float | None:
        """The upper confidence bound of the risk at this threshold alone; None where there is none.

        Not smaller risks, but `risk` is what is guaranteed: this threshold was chosen among many.
        """
        if self.bound is None or self.never:
            return None
        counts = self.n_judged, self.n_losses, self.n_gains
        delta = 1 - self.confidence
        return float(upper_bounds(self.bound, *counts, delta=delta, planned_for=self.risk))

    @property
    def guarantee(self) -> str:
        """What holds, in one sentence."""
        if self.never:
            return "No threshold could be certified, so no exit answers and the tail answers everything."
        what = f"{_RISKS[self.measure]} at most {100 * self.risk:g}% on samples from the same source"
        if self.method == CRC:
            return f"In the mean over draws of {self.n:,} calibration samples, {what}."
        return (
            f"With a probability of at least {100 * self.confidence:g}% over the draw of the {self.n:,}"
            f" calibration samples, {what}."
        )

    def evidence(self) -> dict[str, object]:
        """All of it as JSON values, for an `ExitRule`."""
        return {
            "method": self.method,
            "measure": self.measure,
            "bound": self.bound,
            "risk": self.risk,
            "confidence": self.confidence,
            "guarantee": self.guarantee,
            "n": self.n,
            "n_fitted": self.n_fitted,
            "n_thresholds": self.n_thresholds,
            "exit_rate": self.exit_rate,
            "edge_exit_rate": self.edge_exit_rate,
            "n_judged": self.n_judged,
            "n_losses": self.n_losses,
            "n_gains": self.n_gains,
            "empirical_risk": self.empirical_risk,
            "upper_bound": self.upper_bound,
            "p_value": self.p_value,
        }
