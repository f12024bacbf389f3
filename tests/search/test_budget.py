"""What a budget allows."""

import pytest

from offramp.errors import ConfigError
from offramp.search import Budget, Candidate

NETWORK = Candidate((16, 8, 10), (2, 10), (4, 4))  # 32 + 80 edges, 18 biases; 2 blocks of 16 bits


@pytest.mark.parametrize(("limit", "cost"), [("max_params", 130), ("max_macs", 112), ("max_bytes", 536)])
def test_a_limit_allows_as_much_as_it_says(limit: str, cost: int) -> None:
    # Each block of the first junction is 2 x 4: 32 edges in 4 blocks of 2 bytes each.
    cost = NETWORK.n_bytes if limit == "max_bytes" else cost
    assert Budget(**{limit: cost}).allows(NETWORK)
    assert not Budget(**{limit: cost - 1}).allows(NETWORK)
    assert Budget(**{limit: cost - 1}).broken(NETWORK) == f"{limit}={cost - 1} but {cost}"


def test_half_the_errors_are_worth_as_much_anywhere_up_to_the_goal() -> None:
    free, goal = Budget(max_params=100), Budget(min_accuracy=0.9)
    assert free.merit(0.98) - free.merit(0.96) == pytest.approx(free.merit(0.6) - free.merit(0.2))
    assert free.merit(1.0) > free.merit(0.999)
    assert goal.merit(0.97) == goal.merit(0.9) == free.merit(0.9)
    assert goal.merit(0.8) == free.merit(0.8)


def test_networks_far_below_the_limits_are_worth_trying_for_a_goal_alone() -> None:
    for limit in (NETWORK.n_params, 4 * NETWORK.n_params):
        assert Budget(max_params=limit).worth_trying(NETWORK)
    assert not Budget(max_params=NETWORK.n_params - 1).worth_trying(NETWORK)
    far = 4 * NETWORK.n_params + 1
    assert not Budget(max_params=far).worth_trying(NETWORK)
    assert Budget(max_params=far, max_macs=NETWORK.n_macs).worth_trying(NETWORK)
    assert Budget(max_params=far, min_accuracy=0.9).worth_trying(NETWORK)
    assert Budget(min_accuracy=0.9).worth_trying(NETWORK)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "a search without end; give max_params, max_bytes, max_macs or min_accuracy"),
        ({"max_params": 0}, "max_params=0 must be at least 1"),
        ({"min_accuracy": 1.5}, "min_accuracy=1.5 must be above 0 and at most 1, as in 0.96"),
        ({"min_accuracy": float("nan")}, "min_accuracy=nan must be above 0"),
    ],
    ids=["nothing", "zero", "above one", "nan"],
)
def test_a_budget_that_is_none_is_refused(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Budget(**arguments)  # type: ignore[arg-type]
