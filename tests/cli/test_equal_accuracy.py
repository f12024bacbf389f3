import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.cli.equal_accuracy import choose
from offramp.report import Candidate, Estimate

shares = st.floats(0, 1)


def candidate(accuracy: float, *, n_seeds: int = 1, width: int = 8) -> Candidate:
    return Candidate(
        neurons=[64, width, 10],
        head_parameters=65 * width,
        validation_accuracy=Estimate(mean=accuracy, margin=None, values=[accuracy] * n_seeds),
    )


@given(shares, st.lists(shares, min_size=1, max_size=8), st.integers(1, 5000))
def test_the_first_as_accurate_is_chosen_else_the_best(
    sparse: float, dense: list[float], n_samples: int
) -> None:
    choice = choose(candidate(sparse), [candidate(one) for one in dense], n_samples=n_samples)
    assert choice.least_accuracy <= sparse
    if max(dense) >= choice.least_accuracy:
        assert dense[choice.chosen] >= choice.least_accuracy
        assert all(one < choice.least_accuracy for one in dense[: choice.chosen])
    else:
        assert dense[choice.chosen] == max(dense)


def test_one_standard_error_is_allowed_and_no_more() -> None:
    sparse = candidate(0.9)  # of 100 samples: a standard error of 0.03
    dense = [candidate(0.869), candidate(0.871), candidate(0.95)]
    choice = choose(sparse, dense, n_samples=100)
    assert choice.least_accuracy == pytest.approx(0.87)
    assert choice.chosen == 1


def test_more_seeds_allow_less() -> None:
    one, four = (
        choose(candidate(0.9, n_seeds=n), [candidate(0.9, n_seeds=n)], n_samples=100) for n in (1, 4)
    )
    assert 0.9 - four.least_accuracy == pytest.approx((0.9 - one.least_accuracy) / 2)
