"""A link that alters bytes of replies: what is believed is what the tail said, to the last bit."""

import dataclasses

import numpy as np
import pytest

from offramp import wire
from offramp.exits import NEVER, ExitRule
from offramp.runtime import Edge, LinkSettings, ShapedLink

N_OFFLOADS, N_ROWS = 600, 40


@pytest.fixture
def asking(bundle):
    return dataclasses.replace(bundle, exit_rule=ExitRule(NEVER))


def scores(answers):
    return np.stack([answer.scores for answer in answers])


@pytest.mark.parametrize("seed", [1, 2])
def test_no_answer_that_was_altered_is_believed(asking, host, workshop, seed):
    samples = workshop.samples(N_ROWS)
    address = host(asking)
    with (
        ShapedLink("127.0.0.1", int(address.split(":")[1]), seed=seed) as link,
        Edge(asking, tail=f"127.0.0.1:{link.port}", deadline_s=0.15) as edge,
    ):
        assert edge.connect()
        honest = edge.infer_many(samples)
        assert {answer.source for answer in honest} == {"tail"}
        link.settings = LinkSettings(damage=0.05)
        rounds = [edge.infer_many(samples) for _ in range(N_OFFLOADS)]
        assert link.n_damaged >= 20
    expected = scores(honest).tobytes()
    sources = [answers[0].source for answers in rounds]
    assert set(sources) == {"tail", "fallback"}
    for source, answers in zip(sources, rounds, strict=True):
        assert {answer.source for answer in answers} == {source}
        if source == "tail":
            assert scores(answers).tobytes() == expected
        else:
            assert all(answer.reason for answer in answers)
    assert sources.count("tail") > N_OFFLOADS // 4


def test_an_altered_score_falls_back_and_the_reason_says_damage(asking, workshop, liar):
    def reply(request):
        said = wire.Tensor("scores", np.array([[1, 2, 3]], np.float32))
        response = wire.checked_response(wire.InferResponse("m", (said,), id=request.id), request)
        data = response.to_bytes()
        return data[:-1] + bytes([data[-1] ^ 1])

    with Edge(asking, tail=liar(reply), deadline_s=5) as edge:
        answer = edge.infer(workshop.samples(1)[0])
    assert answer.source == "fallback"
    assert answer.reason == "an answer damaged on its way, or to a request that was: its check is another"


def test_a_tail_that_gave_a_check_once_has_to_give_one_always(asking, workshop, liar):
    checks = iter([False, True, False])

    def reply(request):
        said = wire.Tensor("scores", np.array([[1, 2, 3]], np.float32))
        response = wire.InferResponse("m", (said,), id=request.id)
        return wire.checked_response(response, request) if next(checks) else response

    address = liar(reply)
    with Edge(asking, tail=address, deadline_s=5) as edge:
        answers = [edge.infer(sample) for sample in workshop.samples(3)]
    assert [answer.source for answer in answers] == ["tail", "tail", "fallback"]
    assert answers[2].reason.startswith(
        f"an answer without the check that tail {address} gives; it was damaged"
    )


def test_a_request_that_was_altered_is_refused_by_the_tail(asking, host, workshop, monkeypatch):
    honest = wire.InferRequest.to_bytes

    def damaged(request):
        data = honest(request)
        return data[:-1] + bytes([data[-1] ^ 1])

    monkeypatch.setattr(wire.InferRequest, "to_bytes", damaged)
    with Edge(asking, tail=host(asking), deadline_s=5) as edge:
        answer = edge.infer(workshop.samples(1)[0])
    assert answer.source == "fallback"
    assert "refused, INVALID_ARGUMENT: a request that was damaged on its way" in answer.reason
