import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.codec import FloatCodec, arrived, fit_codec
from offramp.errors import WireError
from offramp.wire import (
    InferRequest,
    InferResponse,
    Tensor,
    features_request,
    goes_with,
    joined,
    read_features,
    read_samples,
    read_scores,
)

batches = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 8)),
    elements=st.floats(-100, 100, width=16),  # exact in every codec
)


FLOATS = [FloatCodec("float32"), FloatCodec("float16")]


def offered(features, codec, **settings):
    return features_request(
        codec.encode_rows(features), n_features=features.shape[1], codec=codec, head_digest="d", **settings
    )


def offload(**changes):
    request = offered(np.ones((1, 4), np.float32), FLOATS[0], model_name="m.tail")
    parameters = dict(request.parameters) | changes
    return dataclasses.replace(
        request, parameters={name: value for name, value in parameters.items() if value is not None}
    )


def plain(array):
    return InferRequest("m", (Tensor("x", array),))


@pytest.mark.parametrize("codec", FLOATS, ids=lambda codec: codec.name)
@given(features=batches)
def test_coded_features_survive_the_wire(codec, features):
    request = offered(features, codec, model_name="m.tail", id="7")
    again = InferRequest.from_bytes(request.to_bytes())
    np.testing.assert_array_equal(read_features(again, n_features=features.shape[1]), features)
    assert (again.model_name, again.id, again.parameters["head_digest"]) == ("m.tail", "7", "d")


@given(features=batches)
def test_plain_features_need_no_parameters(features):
    np.testing.assert_array_equal(read_features(plain(features), n_features=features.shape[1]), features)


def test_a_coded_row_costs_no_more_than_its_codec():
    request = offered(np.ones((1, 4), np.float32), FLOATS[1], model_name="m")
    assert request.inputs[0].array.shape == (1, 8)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (offload(codec=None), "without the request parameter 'codec'; send it, or send FP32"),
        (offload(head_digest=None), "without the request parameter 'head_digest'"),
        (offload(codec="zip"), "features coded as 'zip'; this model reads 'float32', 'float16'$"),
        (offload(codec=3), "features coded as '3'; this model reads"),
        (offload(codec_digest="ab"), "features coded as 'float32' with parameters 'ab'; this model reads"),
        (offload(codec_digest="a" * 99), "with parameters 'a{16}'; this model reads"),
        (offload(shape="5"), "shape '5'; this model reads 'float32' and '4'"),
        (offload(shape=4), "shape 4; this model reads 'float32' and '4'"),
        (offload(dtype="float64"), "dtype 'float64'"),
        (offload(codec="float16"), r"shape \(1, 16\); 4 features as float16 are rows of at most 8 bytes"),
        (plain(np.ones((1, 5), np.float32)), r"shape \(1, 5\); this model reads \[-1, 4\]"),
        (InferRequest("m", ()), "0 inputs; there must be exactly one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_features_that_do_not_fit_are_refused(request_, text):
    with pytest.raises(WireError, match=text):
        read_features(request_, n_features=4)


def test_a_coded_nan_is_refused():
    request = offload()
    row = np.frombuffer(np.array([1, 2, np.nan, 4], "<f4").tobytes(), np.uint8)[None]
    with pytest.raises(WireError, match="feature 2 is nan"):
        read_features(dataclasses.replace(request, inputs=(Tensor("features", row),)), n_features=4)


def test_a_request_cannot_claim_more_rows_than_a_server_would_hold():
    rows = np.zeros((1025, 16384), np.uint8)
    request = dataclasses.replace(offload(shape="4096"), inputs=(Tensor("features", rows),))
    with pytest.raises(WireError, match="1025 rows of 4096 features; send at most 1024 in a request"):
        read_features(request, n_features=4096)
    read_features(dataclasses.replace(request, inputs=(Tensor("features", rows[1:]),)), n_features=4096)


def test_samples_come_back_as_they_are():
    sample = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(read_samples(plain(sample), datatype="UINT8", shape=(2, 3)), sample)


def test_samples_of_another_type_or_shape_are_refused():
    with pytest.raises(WireError, match="tensor 'x' is UINT8; this model reads FP32"):
        read_samples(plain(np.zeros((1, 3), np.uint8)), datatype="FP32", shape=(3,))
    with pytest.raises(WireError, match=r"shape \(1, 3\); this model reads \[-1, 2, 3\]"):
        read_samples(plain(np.zeros((1, 3), np.uint8)), datatype="UINT8", shape=(2, 3))


def answer(array, id="1"):
    return InferResponse("m", (Tensor("scores", array),), id=id)


def test_scores_come_back_as_they_are():
    scores = np.array([[1, 2, 3]], np.float32)
    np.testing.assert_array_equal(read_scores(answer(scores), id="1", n_rows=1, n_classes=3), scores)


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (answer(np.zeros((1, 3), np.float32), id="2"), "an answer to request '2'; request '1' was asked"),
        (answer(np.zeros((1, 4), np.float32)), r"FP32 \(1, 4\); scores are FP32 \(1, 3\)"),
        (answer(np.zeros((2, 3), np.float32)), r"FP32 \(2, 3\)"),
        (answer(np.zeros((1, 3), np.uint8)), r"UINT8 \(1, 3\)"),
        (InferResponse("m", (), id="1"), "0 outputs; there must be exactly one"),
    ],
    ids=["another request", "classes", "rows", "datatype", "empty"],
)
def test_an_answer_that_does_not_fit_the_question_is_refused(response, text):
    with pytest.raises(WireError, match=text):
        read_scores(response, id="1", n_rows=1, n_classes=3)


@pytest.mark.parametrize("codec", FLOATS, ids=lambda codec: codec.name)
@given(features=batches)
def test_requests_joined_are_the_request_of_all_their_rows(codec, features):
    each = [offered(features[i : i + 1], codec, model_name="m.tail") for i in range(len(features))]
    together = joined(each, id="9")
    assert together.id == "9"
    again = InferRequest.from_bytes(together.to_bytes())
    np.testing.assert_array_equal(read_features(again, n_features=features.shape[1], codec=codec), features)


def test_coded_rows_of_different_lengths_are_padded_when_they_are_joined():
    codec = fit_codec("int4-range", np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32))
    features = np.random.default_rng(1).normal(size=(40, 6)).astype(np.float32) * np.arange(6) / 3
    each = [offered(features[i : i + 1], codec, model_name="m.tail") for i in range(len(features))]
    assert len({request.inputs[0].array.shape for request in each}) > 1
    together = read_features(joined(each, id=""), n_features=6, codec=codec)
    np.testing.assert_array_equal(together, arrived(codec, features))


@pytest.mark.parametrize(
    "changes",
    [
        {"model_name": "n.tail"},
        {"model_version": "2"},
        {"outputs": ("scores",)},
        {"parameters": dict(offload().parameters) | {"head_digest": "e"}},
        {"parameters": dict(offload().parameters) | {"codec": "float16"}},
        {"inputs": ()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_asked_in_another_way_is_not_joined(changes):
    other = dataclasses.replace(offload(), **changes)
    assert goes_with(offload(), offload())
    assert not goes_with(offload(), other)
    with pytest.raises(WireError, match="do not go together"):
        joined([offload(), other], id="1")


def test_samples_of_other_shapes_are_not_joined():
    one, other = (plain(np.ones((1, *shape), np.uint8)) for shape in ((2, 2), (2, 3)))
    assert not goes_with(one, other)
    assert joined([one, one], id="").inputs[0].array.shape == (2, 2, 2)
