import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import offramp.exits
from offramp.errors import InputError
from offramp.exits import max_softmax, softmax

scores = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(-1e4, 1e4, width=32)
)


def test_the_public_names_are_these():
    assert offramp.exits.__all__ == [
        "CRITERIA",
        "NEVER",
        "ExitRule",
        "empirical_threshold",
        "max_softmax",
        "softmax",
    ]


@given(scores=scores)
def test_probabilities_sum_to_one_and_keep_the_order(scores):
    p = softmax(scores)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert (np.take_along_axis(p, scores.argmax(axis=1)[:, None], axis=1)[:, 0] == p.max(axis=1)).all()


@given(scores=scores)
def test_confidence_is_the_largest_probability(scores):
    np.testing.assert_allclose(max_softmax(scores), softmax(scores).max(axis=1), rtol=1e-12)


@given(scores=scores, shift=st.floats(-100, 100))
def test_a_common_shift_changes_nothing(scores, shift):
    values = scores.astype(np.float64)
    np.testing.assert_allclose(max_softmax(values + shift), max_softmax(values), rtol=1e-9)


@pytest.mark.parametrize("row", [[np.nan, 1], [np.inf, 1], [np.inf, np.inf], [-np.inf, -np.inf]], ids=str)
def test_a_row_without_a_verdict_gives_nan(row):
    assert np.isnan(max_softmax([row])).all()
    assert np.isnan(softmax([row])).any()


def test_scores_must_be_a_matrix():
    with pytest.raises(InputError, match=r"scores of shape \(3,\); give a matrix"):
        max_softmax([1, 2, 3])
