"""What a network may cost, and how good it has to be."""

import math
from dataclasses import dataclass

from offramp.errors import ConfigError
from offramp.search.candidate import Candidate

_LIMITS = ("max_params", "max_bytes", "max_macs")

LEAST_USE = 0.25
"""The share of a limit that networks take at least, where there is one and no goal."""
_FEWEST_ERRORS = 1e-4  # zero has no logarithm


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of the whole network, a goal, or both.

    Args:
        max_params, max_bytes, max_macs: the most that a `Candidate`'s `n_params` ... may be.
        min_accuracy: validation accuracy, in 0..1, that the smallest network is wanted of.

    Raises:
        ConfigError: neither a limit nor a goal, or one that cannot be.
    """

    max_params: int | None = None
    max_bytes: int | None = None
    max_macs: int | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        limits = {name: getattr(self, name) for name in _LIMITS}
        if set(limits.values()) == {None} and self.min_accuracy is None:
            raise ConfigError("a search without end; give max_params, max_bytes, max_macs or min_accuracy")
        for name, limit in limits.items():
            if limit is not None and limit < 1:
                raise ConfigError(f"{name}={limit} must be at least 1")
        goal = self.min_accuracy
        if goal is not None and not (math.isfinite(goal) and 0 < goal <= 1):
            raise ConfigError(f"min_accuracy={goal} must be above 0 and at most 1, as in 0.96")

    def use(self, candidate: Candidate) -> float:
        """The largest share of a limit that the network takes; 0 without limits."""
        costs = (candidate.n_params, candidate.n_bytes, candidate.n_macs)
        limits = (self.max_params, self.max_bytes, self.max_macs)
        return max(
            (cost / limit for cost, limit in zip(costs, limits, strict=True) if limit is not None), default=0
        )

    def worth_trying(self, candidate: Candidate) -> bool:
        """Whether the network keeps every limit and, unless there is a goal, takes a fair share of one."""
        return self.allows(candidate) and (self.min_accuracy is not None or self.use(candidate) >= LEAST_USE)

    def allows(self, candidate: Candidate) -> bool:
        """Whether the network keeps every limit."""
        return not self.broken(candidate)

    def broken(self, candidate: Candidate) -> str:
        """The limits that the network breaks, in words; empty if none."""
        costs = (candidate.n_params, candidate.n_bytes, candidate.n_macs)
        limits = zip(_LIMITS, costs, strict=True)
        return ", ".join(
            f"{name}={limit} but {cost}"
            for name, cost in limits
            if (limit := getattr(self, name)) is not None and cost > limit
        )

    def merit(self, accuracy: float) -> float:
        """What accuracy is worth: minus the logarithm of the errors, so halving them counts as much anywhere.

        Nothing above the goal: there only size counts.
        """
        counted = accuracy if self.min_accuracy is None else min(accuracy, self.min_accuracy)
        return -math.log10(max(1 - counted, _FEWEST_ERRORS))
