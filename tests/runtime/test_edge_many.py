"""Many samples at once: exits inside a batch, and one request for those that are left."""

import dataclasses
import logging
import time

import numpy as np
import pytest

from offramp import wire
from offramp.codec import FloatCodec, fit_codec
from offramp.errors import ConfigError, DataError, TailUnreachableError
from offramp.exits import NEVER, ExitRule, profile_of
from offramp.runtime import MODES, Edge, Network, models_of
from offramp.runtime.cascade import Cascade, ways_of_head

OFFLOADING = [mode for mode in MODES if mode != "local"]


@pytest.fixture(scope="module")
def mixed(workshop):
    """A bundle with inner exits; every exit answers some samples and leaves others."""
    return workshop.bundle_with_inner_exits(head_rule=0.998, rule=0.85, tail_rule=0.9)


@pytest.fixture
def honest(liar):
    """A tail inside this process that notes the shape of each request; its address, and the notes."""
    shapes = []

    def start(bundle):
        answering = models_of(bundle)[0]

        def reply(request):
            rows = answering.read(request)
            shapes.append(request.inputs[0].array.shape)
            scores = wire.Tensor("scores", np.asarray(answering.compute(rows), np.float32))
            return wire.InferResponse("m", (scores,), id=request.id)

        return liar(reply), shapes

    return start


def same(answer, other):
    np.testing.assert_allclose(answer.scores, other.scores, rtol=1e-4, atol=1e-4)
    assert answer.confidence == pytest.approx(other.confidence, rel=1e-4)
    for name in ("label", "name", "source", "exit", "offloaded", "payload_bytes", "reason", "n_macs"):
        assert getattr(answer, name) == getattr(other, name), name


@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("mode", MODES)
def test_many_at_once_get_the_answers_that_each_would_get_alone(mixed, host, workshop, mode, n):
    samples = workshop.samples(n)
    with Edge(mixed, tail=host(mixed), mode=mode, deadline_s=10) as edge:
        together = edge.infer_many(samples)
        alone = [edge.infer(sample) for sample in samples]
    for answer, other in zip(together, alone, strict=True):
        same(answer, other)
    if mode == "split+exit" and n > 100:
        assert {answer.exit for answer in together} == {"exit-head-2", "exit", None}


def test_the_unsure_of_256_samples_go_in_one_request(mixed, honest, workshop):
    address, shapes = honest(mixed)
    with Edge(mixed, tail=address, deadline_s=10) as edge:
        answers = edge.infer_many(workshop.samples(300))
    asked = [sum(answer.source == "tail" for answer in part) for part in (answers[:256], answers[256:])]
    assert 0 < asked[0] < 200
    assert shapes == [(n, 32) for n in asked]


def test_samples_too_large_for_one_message_go_in_several(workshop, liar):
    n_rows = []

    def reply(request):
        n_rows.append(len(request.inputs[0].array))
        scores = wire.Tensor("scores", np.ones((n_rows[-1], 3), np.float32))
        return wire.InferResponse("m", (scores,), id=request.id)

    preprocessing = workshop.preprocessing((300_000,), "uint8")
    large = workshop.bundle(preprocessing=preprocessing, head=None, exit=None, head_digest="f" * 64)
    with Edge(large, tail=liar(reply), mode="remote", deadline_s=10) as edge:
        answers = edge.infer_many(np.ones((7, 300_000), np.uint8))
    assert n_rows == [3, 3, 1]
    assert [answer.payload_bytes for answer in answers] == [300_000] * 7


def test_scores_too_many_for_one_message_come_in_several(workshop, honest):
    rng = np.random.default_rng(0)
    wide = workshop.bundle(
        classes=tuple(f"class {i}" for i in range(4000)),
        exit=None,
        tail=workshop.part(workshop.dense(rng, 8, 4000)),
    )
    address, shapes = honest(wide)
    with Edge(wide, tail=address, mode="split", deadline_s=10) as edge:
        assert len(edge.infer_many(workshop.samples(100))) == 100
    assert [rows for rows, _ in shapes] == [65, 35]


def test_each_sample_is_told_its_own_coded_length_not_the_padded_one(bundle, host, workshop):
    features = Network(bundle.head)(bundle.preprocessing(workshop.samples(200)))
    codec = fit_codec("int8-zeros", features)
    coded = dataclasses.replace(bundle, codec=codec, exit_rule=ExitRule(NEVER))
    with Edge(coded, tail=host(coded), deadline_s=10) as edge:
        answers = edge.infer_many(workshop.samples(40))
    lengths = [len(row) for row in codec.encode_rows(features[:40])]
    assert len(set(lengths)) > 1
    assert [answer.payload_bytes for answer in answers] == lengths
    assert {answer.source for answer in answers} == {"tail"}


@pytest.mark.parametrize("mode", MODES)
def test_an_encoder_runs_for_what_is_sent_and_the_tail_begins_with_its_decoder(workshop, host, mode):
    rng = np.random.default_rng(4)
    encoder = workshop.part(workshop.dense(rng, 8, 2))
    tail = workshop.part(workshop.dense(rng, 2, 8), workshop.relu, workshop.dense(rng, 8, 3))
    narrow = workshop.bundle(encoder=encoder, tail=tail, exit_rule=ExitRule(0.9), codec=FloatCodec("float16"))
    samples = workshop.samples(60)
    features = Network(narrow.head)(narrow.preprocessing(samples))
    expected = Network(tail)(Network(encoder)(features))
    with Edge(narrow, tail=host(narrow), mode=mode, deadline_s=10) as edge:
        answers = edge.infer_many(samples)
    executed = {"local": ("head", "encoder", "tail"), "remote": (), "split": ("head", "encoder")}
    for answer, scores in zip(answers, expected, strict=True):
        if answer.source == "exit":
            assert answer.n_macs == narrow.head.n_macs + narrow.exit.n_macs
            continue
        np.testing.assert_allclose(answer.scores, scores, rtol=0.02, atol=0.02)
        assert answer.payload_bytes == {"local": 0, "remote": 12}.get(mode, 4)
        names = executed.get(mode, ("head", "exit", "encoder"))
        assert answer.n_macs == sum(narrow.parts[name].n_macs for name in names)
    assert len({answer.source for answer in answers}) == (2 if mode == "split+exit" else 1)


@pytest.mark.parametrize("mode", OFFLOADING)
def test_a_dead_tail_makes_all_fall_back_on_the_exit_at_the_cut(mixed, workshop, dead, mode):
    samples = workshop.samples(50)
    with Edge(mixed, tail=dead, mode=mode, deadline_s=10) as edge:
        answers = edge.infer_many(samples)
    scores = Network(mixed.exit)(Network(mixed.head)(mixed.preprocessing(samples)))
    fallen = [i for i, answer in enumerate(answers) if answer.source == "fallback"]
    assert (0 < len(fallen) < 50) if mode == "split+exit" else len(fallen) == 50
    for i in fallen:
        np.testing.assert_allclose(answers[i].scores, scores[i], rtol=1e-4, atol=1e-4)
        assert (answers[i].exit, answers[i].offloaded) == ("exit", True)
        assert "is not there" in answers[i].reason


def test_a_silent_tail_is_waited_for_once_and_the_sure_did_not_wait(mixed, workshop, silent):
    with Edge(mixed, tail=silent, deadline_s=0.3) as edge:
        started = time.perf_counter()
        answers = edge.infer_many(workshop.samples(200))
        took_s = time.perf_counter() - started
    assert 0.29 < took_s < 1.5
    by_source = {source: [a for a in answers if a.source == source] for source in ("exit", "fallback")}
    assert sum(map(len, by_source.values())) == 200
    assert max(answer.latency_s for answer in by_source["exit"]) < 0.25
    assert min(answer.latency_s for answer in by_source["fallback"]) > 0.29


def reply_with(change):
    def reply(request):
        n_rows = request.inputs[0].array.shape[0]
        scores = np.tile(np.float32([1, 2, 3]), (n_rows, 1))
        data = wire.InferResponse("m", (wire.Tensor("scores", change(scores)),), id=request.id).to_bytes()
        return data.replace(np.float32([7e30]).tobytes(), np.float32([np.nan]).tobytes())

    return reply


def one_is_marked(scores):
    scores[3, 1] = 7e30  # made NaN on the wire
    return scores


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda scores: scores[:-1], "FP32 (19, 3); scores are FP32 (20, 3)"),
        (lambda scores: np.concatenate([scores, scores]), "FP32 (40, 3); scores are FP32 (20, 3)"),
        (lambda scores: scores[:1], "FP32 (1, 3); scores are FP32 (20, 3)"),
        (lambda scores: scores[:, :2], "FP32 (20, 2); scores are FP32 (20, 3)"),
        (lambda scores: scores.reshape(3, 20), "FP32 (3, 20); scores are FP32 (20, 3)"),
        (lambda scores: scores.reshape(-1), "FP32 (60,); scores are FP32 (20, 3)"),
        (one_is_marked, "holds nan at 10"),
    ],
    ids=["one less", "twice", "one for all", "a class less", "turned", "flat", "NaN in one row"],
)
def test_an_answer_that_is_wrong_in_one_place_is_believed_in_none(bundle, workshop, liar, change, text):
    asking = dataclasses.replace(bundle, exit_rule=ExitRule(NEVER))
    with Edge(asking, tail=liar(reply_with(change)), deadline_s=5) as edge:
        answers = edge.infer_many(workshop.samples(20))
    assert {answer.source for answer in answers} == {"fallback"}
    assert all(text in answer.reason for answer in answers)


def test_an_honest_answer_keeps_the_order_of_the_samples(mixed, workshop, liar):
    def numbered(request):
        n_rows = request.inputs[0].array.shape[0]
        scores = np.zeros((n_rows, 3), np.float32)
        scores[:, 1] = 1 + np.arange(n_rows)
        return wire.InferResponse("m", (wire.Tensor("scores", scores),), id=request.id)

    with Edge(mixed, tail=liar(numbered), deadline_s=5) as edge:
        answers = edge.infer_many(workshop.samples(90))
    numbers = [answer.scores[1] for answer in answers if answer.source == "tail"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 0 < len(numbers) < 90


def test_without_an_exit_there_is_nothing_to_fall_back_on(bundle, workshop, dead):
    alone = dataclasses.replace(bundle, exit=None)
    with (
        Edge(alone, tail=dead, mode="split") as edge,
        pytest.raises(TailUnreachableError, match="is not there"),
    ):
        edge.infer_many(workshop.samples(3))


def test_no_samples_have_no_answers(bundle):
    with Edge(bundle, mode="local") as edge:
        assert edge.infer_many([]) == []
        assert edge.infer_many(np.zeros((0, 3, 4), np.uint8)) == []


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (np.zeros((3, 4), np.uint8), r"a sample of shape \(4,\); this network reads \(3, 4\)"),
        (np.uint8(5), r"a sample of shape \(\); this network reads \(3, 4\)"),
        (np.zeros((2, 3, 4)), "a sample of type float64; this network reads uint8"),
        ([[[1] * 4] * 3, [[1] * 4] * 2], r"samples of different shapes; this network reads \(3, 4\) each"),
    ],
    ids=["one", "a number", "floats", "ragged"],
)
def test_what_is_no_batch_of_samples_is_the_callers_fault(bundle, samples, text):
    with Edge(bundle, mode="local") as edge, pytest.raises(DataError, match=text):
        edge.infer_many(samples)


@pytest.mark.parametrize("mode", ["local", "split", "split+exit"])
def test_the_sample_that_overflows_is_named(workshop, dead, mode):
    floats = workshop.bundle(preprocessing=workshop.preprocessing((16,), "float32"))
    samples = np.ones((400, 16), np.float32)
    samples[298] = 3e38
    with (
        Edge(floats, tail=dead, mode=mode) as edge,
        pytest.raises(DataError, match="the head overflows on sample 298 of 400; look for values far outs"),
    ):
        edge.infer_many(samples)


def test_the_sample_that_cannot_be_scaled_is_named(workshop):
    floats = workshop.bundle(preprocessing=workshop.preprocessing((16,), "float32", scale=1e38))
    samples = np.zeros((400, 16), np.float32)
    samples[298] = 1e38
    text = "^from sample 256 on: sample 42 of 144 holds NaN, infinity or a value too large"
    with Edge(floats, mode="local") as edge, pytest.raises(DataError, match=text):
        edge.infer_many(samples)


def test_a_closed_edge_answers_no_batch(bundle, workshop):
    edge = Edge(bundle, mode="local")
    edge.close()
    with pytest.raises(ConfigError, match="this edge is closed; make a new one"):
        edge.infer_many(workshop.samples(2))


def drifting(workshop, *, watched=("exit-head-2", "exit")):
    """A bundle, samples like those of its calibration, and darker ones."""
    samples = workshop.samples(2000)
    thresholds = {"exit-head-2": 0.998, "exit": 0.85}
    made = workshop.bundle_with_inner_exits(head_rule=0.998, rule=0.85)
    seen = Cascade(made.head, ways_of_head(made))(made.preprocessing(samples[:1000])).seen
    rules = {
        name: ExitRule(threshold, profile=profile_of(seen[name]) if name in watched else None)
        for name, threshold in thresholds.items()
    }
    bundle = workshop.bundle_with_inner_exits(head_rule=rules["exit-head-2"], rule=rules["exit"])
    return bundle, samples[1000:], samples // 8


@pytest.mark.parametrize("exit", ["exit-head-2", "exit"])
def test_drift_is_logged_once_and_counted(workshop, dead, caplog, exit):
    made, like, darker = drifting(workshop, watched=[exit])
    with Edge(made, tail=dead, drift_alarm_every=10_000) as edge:
        edge.infer_many(like)
        assert edge.drift_alarms == 0
        assert caplog.messages == []
        edge.infer_many(darker)
        assert edge.drift_alarms > 1
    (message,) = caplog.messages
    assert message.startswith("drift: after ")
    assert f"the confidences of {exit} no longer look like those of its calibration" in message
    assert "(a false alarm once in 10,000 samples)" in message
    assert caplog.records[0].levelno == logging.WARNING


def test_every_exit_is_watched_in_the_samples_that_come_to_it(workshop, dead, caplog):
    made, like, darker = drifting(workshop)
    with Edge(made, tail=dead, drift_alarm_every=10_000) as edge:
        edge.infer_many(like)
        assert edge.drift_alarms == 0
        edge.infer_many(darker)
    told = sorted(message.split("confidences of ")[1].split()[0] for message in caplog.messages)
    assert told == ["exit", "exit-head-2"]


def test_one_by_one_or_together_the_same_drift_is_seen(workshop, dead):
    made, _, darker = drifting(workshop)
    with Edge(made, tail=dead) as one, Edge(made, tail=dead) as many:
        for sample in darker[:300]:
            one.infer(sample)
        many.infer_many(darker[:300])
        assert one.drift_alarms == many.drift_alarms > 0


@pytest.mark.parametrize(
    ("watched", "settings"),
    [((), {}), (["exit"], {"drift_alarm_every": 0}), (["exit"], {"mode": "split"})],
    ids=["no profile", "off", "no exits asked"],
)
def test_without_a_watch_there_is_no_alarm(workshop, dead, caplog, watched, settings):
    made, _, darker = drifting(workshop, watched=watched)
    with Edge(made, tail=dead, **settings) as edge:
        edge.infer_many(darker[:300])
        assert edge.drift_alarms == 0
    assert caplog.messages == []


def test_a_negative_rate_of_alarms_is_refused(bundle, dead):
    with pytest.raises(ConfigError, match="drift_alarm_every=-1; use a number of samples, or 0 for no watch"):
        Edge(bundle, tail=dead, drift_alarm_every=-1)
