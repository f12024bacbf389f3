"""Features as servers of others read them."""

import dataclasses

import numpy as np
import pytest

from offramp import wire
from offramp.codec import fit_codec
from offramp.exits import NEVER, ExitRule
from offramp.runtime import Edge, Network
from offramp.runtime.refining import RefiningEdge


@pytest.fixture
def coarse(bundle, workshop):
    """A bundle whose codec rounds much, and whose exit is never sure."""
    codec = fit_codec("int4-range", features_of(bundle, workshop.samples(50)))
    return dataclasses.replace(bundle, codec=codec, exit_rule=ExitRule(NEVER))


def features_of(bundle, samples):
    return Network(bundle.head)(bundle.preprocessing(samples))


def zeros(request):
    n_rows = len(request.inputs[0].array)
    scores = wire.Tensor("anything", np.zeros((n_rows, 3), np.float32))
    return wire.InferResponse("anything", (scores,), id=request.id)


def test_they_are_one_float_tensor_of_what_the_head_gave(coarse, workshop, liar):
    seen, samples = [], workshop.samples(5)
    with Edge(
        coarse, tail=liar(lambda request: seen.append(request) or zeros(request)), plain_features=True
    ) as edge:
        answers = edge.infer_many(samples)
    (tensor,) = seen[0].inputs
    assert (seen[0].model_name, tensor.name, tensor.datatype) == ("tiny.tail", "features", "FP32")
    np.testing.assert_array_equal(tensor.array, features_of(coarse, samples))
    assert "codec" not in seen[0].parameters
    assert [(answer.source, answer.payload_bytes) for answer in answers] == [("tail", 32)] * 5


def test_the_codecs_rounding_is_left_out_of_the_answers(coarse, host, workshop):
    samples, tail = workshop.samples(20), host(coarse)
    exact = Network(coarse.tail)(features_of(coarse, samples))
    with Edge(coarse, tail=tail) as coded, Edge(coarse, tail=tail, plain_features=True) as plain:
        rounded, unrounded = (
            np.array([answer.scores for answer in edge.infer_many(samples)]) for edge in (coded, plain)
        )
    np.testing.assert_allclose(unrounded, exact, rtol=1e-5, atol=1e-5)
    assert np.abs(rounded - exact).max() > 0.01


def test_a_request_of_plain_features_fits_a_message(workshop, liar):
    rng, wide, rows = np.random.default_rng(1), 2000, []
    bundle = workshop.bundle(
        head=workshop.part(workshop.dense(rng, 16, wide)),
        exit=workshop.part(workshop.dense(rng, wide, 3)),
        tail=workshop.part(workshop.dense(rng, wide, 3)),
        exit_rule=ExitRule(NEVER),
    )

    def reply(request):
        rows.append(len(request.inputs[0].array))
        return zeros(request)

    with Edge(bundle, tail=liar(reply), plain_features=True, deadline_s=20) as edge:
        assert {answer.source for answer in edge.infer_many(workshop.samples(200))} == {"tail"}
    assert sum(rows) == 200
    assert max(rows) * 4 * wide < 1 << 20


def test_second_answers_come_from_plain_features_too(coarse, workshop, liar):
    seen = []
    tail = liar(lambda request: seen.append(request) or zeros(request))
    with RefiningEdge(coarse, tail=tail, plain_features=True) as edge:
        edge.infer_many(workshop.samples(10))
        assert edge.settle(20)
    assert {request.inputs[0].datatype for request in seen} == {"FP32"}
    sent = np.concatenate([request.inputs[0].array for request in seen])
    np.testing.assert_array_equal(sent, features_of(coarse, workshop.samples(10)))
