import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.codec import FloatCodec
from offramp.errors import WireError
from offramp.wire import (
    InferRequest,
    InferResponse,
    Tensor,
    checked_request,
    checked_response,
    features_request,
    read_scores,
    verify_request,
    verify_response,
)

SCORES = np.array([[0.5, -2, 3e5]], np.float32)


def asked(id="7", seed=0):
    rows = FloatCodec().encode_rows(np.random.default_rng(seed).standard_normal((1, 4), dtype=np.float32))
    return features_request(
        rows, n_features=4, model_name="m.tail", codec=FloatCodec(), head_digest="d", id=id
    )


def answered(request):
    return checked_response(
        InferResponse("m.tail", (Tensor("scores", SCORES),), model_version="1", id=request.id), request
    )


def believed(data, request):
    """The scores in an answer that is believed, None for one that is not, and whether it was checked."""
    try:
        response = InferResponse.from_bytes(data)
        scores = read_scores(response, id=request.id, n_rows=1, n_classes=3)
        return scores.tobytes(), verify_response(response, request)
    except WireError:
        return None, True


def test_what_arrives_as_it_was_sent_passes():
    request = checked_request(asked())
    verify_request(InferRequest.from_bytes(request.to_bytes()))
    assert believed(answered(request).to_bytes(), request) == (SCORES.tobytes(), True)


def test_checks_are_what_the_documentation_says():
    request = checked_request(asked())
    raw = request.inputs[0].raw()
    check = hashlib.sha256(b"7\0m.tail\0" + raw).hexdigest()[:16]
    assert request.parameters["check"] == check
    response = answered(request)
    assert response.parameters == {
        "check": hashlib.sha256(check.encode() + SCORES.tobytes()).hexdigest()[:16]
    }


def test_a_check_takes_29_bytes():
    request = checked_request(asked())
    plain = InferResponse("m.tail", (Tensor("scores", SCORES),), model_version="1", id=request.id)
    assert len(request.to_bytes()) - len(asked().to_bytes()) == 29
    assert len(answered(request).to_bytes()) - len(plain.to_bytes()) == 29


def test_who_gives_no_check_is_not_checked():
    verify_request(asked())
    response = InferResponse("m", (Tensor("scores", SCORES),), id="7")
    assert not verify_response(response, checked_request(asked()))


def test_no_single_altered_byte_makes_an_answer_say_something_else():
    request = checked_request(asked())
    data = answered(request).to_bytes()
    for place in range(len(data)):
        for flip in (1, 2, 4, 8, 16, 32, 64, 128, 0xFF, 0x55):
            altered = bytearray(data)
            altered[place] ^= flip
            scores, _ = believed(bytes(altered), request)
            assert scores in (None, SCORES.tobytes()), (place, flip)


@given(st.data())
def test_no_altered_bytes_make_a_checked_answer_say_something_else(data):
    request = checked_request(asked())
    altered = bytearray(answered(request).to_bytes())
    for place in data.draw(st.lists(st.integers(0, len(altered) - 1), min_size=1, max_size=4)):
        altered[place] = data.draw(st.integers(0, 255))
    scores, checked = believed(bytes(altered), request)
    assert not checked or scores in (None, SCORES.tobytes())


@pytest.mark.parametrize("change", [{"id": "8"}, {"model_name": "other"}, {"inputs": asked(seed=1).inputs}])
def test_an_altered_request_is_refused(change):
    altered = replace(checked_request(asked()), **change)
    with pytest.raises(WireError, match="a request that was damaged on its way: its check is another"):
        verify_request(altered)


def test_a_check_of_another_kind_is_a_wrong_one():
    with pytest.raises(WireError, match="damaged on its way"):
        verify_request(replace(asked(), parameters={"check": 5}))


def test_an_altered_request_that_lost_its_check_is_found_by_its_answer():
    sent, arrived = checked_request(asked(seed=0)), asked(seed=1)
    verify_request(arrived)
    with pytest.raises(WireError, match="an answer damaged on its way, or to a request that was"):
        verify_response(answered(arrived), sent)
