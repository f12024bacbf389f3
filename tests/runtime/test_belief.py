import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offramp import wire
from offramp.errors import WireError
from offramp.runtime.belief import Belief, Question
from offramp.runtime.tail_counts import TailCounts, Tally
from offramp.wire import InferRequest, InferResponse, Tensor

SCORES = np.array([[1, 5, 3], [2, 4, 6]], np.float32)
REQUEST = wire.checked_request(InferRequest("m", (Tensor("x", np.ones((2, 4), np.float32)),), id="7"))
QUESTION = Question(REQUEST, 2, 3, 1.0)
HONEST = wire.checked_response(InferResponse("m", (Tensor("scores", SCORES),), id="7"), REQUEST).to_bytes()


@st.composite
def damaged(draw):
    """An honest answer, cut, doubled and altered in places."""
    data = bytearray(HONEST)
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, len(data)))
        last = draw(st.integers(first, min(first + 8, len(data))))
        data[first:last] = draw(st.binary(max_size=8))
    return bytes(data)


@given(data=st.binary(max_size=300) | damaged() | st.none())
@example(data=HONEST)
@example(data=b"")
def test_whatever_bytes_come_they_are_scores_or_an_error_of_the_wire_and_counted(data):
    tally = Tally()
    try:
        scores = Belief("a:1", tally).scores(data, QUESTION)
    except WireError:
        assert sum(tally.counts()) == 1
    else:
        assert (scores.dtype, scores.shape) == (np.float32, (2, 3))
        assert np.isfinite(scores).all()
        assert tally.counts() == TailCounts()


@given(place=st.integers(0, len(HONEST) - 1), byte=st.integers(0, 255))
def test_one_altered_byte_never_alters_what_is_believed(place, byte):
    altered = HONEST[:place] + bytes([byte]) + HONEST[place + 1 :]
    try:
        scores = Belief("a:1", Tally()).scores(altered, QUESTION)
    except WireError:
        assert altered != HONEST
    else:
        assert scores.tobytes() == SCORES.tobytes()


def test_where_checks_are_given_now_and_then_answers_without_one_are_never_believed():
    tally = Tally()
    belief = Belief("a:1", tally)
    bare = InferResponse("m", (Tensor("scores", SCORES),), id="7").to_bytes()
    for _ in range(3):
        belief.scores(HONEST, QUESTION)
        for _ in range(9):
            with pytest.raises(WireError, match="an answer without the check that tail a:1 gives"):
                belief.scores(bare, QUESTION)
    assert tally.counts() == TailCounts(damaged=27)
