import contextlib
import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from offramp import wire
from offramp.bundle import Part
from offramp.codec import FloatCodec
from offramp.errors import ConfigError, DataError, TailRefusedError, TailUnreachableError
from offramp.exits import NEVER, ExitRule, max_softmax
from offramp.runtime import MODES, Edge, LinkPolicy, Network, TailCounts

ALWAYS_ASK, NEVER_ASK = ExitRule(NEVER), ExitRule(0.0)
OFFLOADING = [mode for mode in MODES if mode != "local"]


def with_rule(bundle, rule):
    return dataclasses.replace(bundle, exit_rule=rule)


def computed(bundle, sample):
    """Scores of exit and tail."""
    features = Network(bundle.head)(bundle.preprocessing(sample[None]))
    return Network(bundle.exit)(features)[0], Network(bundle.tail)(features)[0]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_networks_answer(bundle, host, workshop, mode):
    asking = with_rule(bundle, ALWAYS_ASK)
    with Edge(asking, tail=host(asking), mode=mode) as edge:
        assert edge.connect()
        for sample in workshop.samples(10):
            answer = edge.infer(sample)
            scores = computed(bundle, sample)[1]
            np.testing.assert_allclose(answer.scores, scores, rtol=1e-5, atol=1e-5)
            assert answer.label == scores.argmax()
            assert answer.name == bundle.classes[answer.label]
            assert answer.confidence == pytest.approx(max_softmax(scores[None])[0])
            assert answer.source == ("local" if mode == "local" else "tail")
            assert answer.offloaded == (mode != "local")
            assert answer.reason is None
            assert 0 < answer.latency_s < 5


@pytest.mark.parametrize(
    ("mode", "codec", "payload_bytes", "parts"),
    [
        ("local", "float32", 0, ("head", "tail")),
        ("remote", "float32", 12, ()),
        ("split", "float32", 32, ("head",)),
        ("split", "float16", 16, ("head",)),
        ("split+exit", "float16", 16, ("head", "exit")),
    ],
)
def test_bytes_and_multiply_adds_are_those_of_the_mode(
    bundle, host, workshop, mode, codec, payload_bytes, parts
):
    asking = dataclasses.replace(bundle, exit_rule=ALWAYS_ASK, codec=FloatCodec(codec))
    with Edge(asking, tail=host(asking), mode=mode) as edge:
        answer = edge.infer(workshop.samples(1)[0])
    assert answer.payload_bytes == payload_bytes
    assert answer.n_macs == sum(bundle.parts[part].n_macs for part in parts)


def test_a_sure_exit_stops_there(bundle, workshop, dead):
    sure = with_rule(bundle, NEVER_ASK)
    sample = workshop.samples(1)[0]
    with Edge(sure, tail=dead) as edge:
        answer = edge.infer(sample)
    assert (answer.source, answer.offloaded, answer.payload_bytes, answer.reason) == ("exit", False, 0, None)
    np.testing.assert_allclose(answer.scores, computed(bundle, sample)[0], rtol=1e-5)
    assert answer.n_macs == bundle.head.n_macs + bundle.exit.n_macs


def test_the_exit_rule_decides_sample_by_sample(bundle, host, workshop):
    samples = workshop.samples(40)
    confidences = [max_softmax(computed(bundle, sample)[0][None])[0] for sample in samples]
    threshold = float(np.median(confidences))
    mixed = with_rule(bundle, ExitRule(threshold))
    with Edge(mixed, tail=host(mixed)) as edge:
        sources = [edge.infer(sample).source for sample in samples]
    assert sources == ["exit" if confidence >= threshold else "tail" for confidence in confidences]
    assert set(sources) == {"exit", "tail"}


@pytest.mark.parametrize("mode", OFFLOADING)
def test_a_refused_connection_falls_back_at_once(bundle, workshop, dead, mode):
    sample = workshop.samples(1)[0]
    with Edge(with_rule(bundle, ALWAYS_ASK), tail=dead, mode=mode, deadline_s=30) as edge:
        answer = edge.infer(sample)
    assert answer.latency_s < 5
    assert (answer.source, answer.offloaded) == ("fallback", True)
    assert answer.reason.startswith(f"tail {dead} is not there: ")
    np.testing.assert_allclose(answer.scores, computed(bundle, sample)[0], rtol=1e-5)
    assert answer.n_macs == bundle.head.n_macs + bundle.exit.n_macs


@pytest.mark.parametrize("mode", OFFLOADING)
def test_a_silent_peer_falls_back_at_the_deadline(bundle, workshop, silent, mode):
    with Edge(with_rule(bundle, ALWAYS_ASK), tail=silent, mode=mode, deadline_s=0.3) as edge:
        answer = edge.infer(workshop.samples(1)[0])
    assert 0.29 < answer.latency_s < 1.5
    assert answer.source == "fallback"
    assert answer.reason == f"tail {silent} gave no answer within 0.3 s"


def test_behind_a_silent_tail_three_samples_wait_and_no_more(bundle, workshop, silent):
    policy = LinkPolicy(first_wait_s=0.02, longest_wait_s=0.02)
    with Edge(with_rule(bundle, ALWAYS_ASK), tail=silent, deadline_s=0.3, policy=policy) as edge:
        answers = [edge.infer(sample) for sample in workshop.samples(3)]
        while edge.tail_counts.held_back < 300:  # some of them ask again; nobody waits for them
            answers += edge.infer_many(workshop.samples(1))
    assert {answer.source for answer in answers} == {"fallback"}
    assert all("gave no answer within 0.3 s" in answer.reason for answer in answers)
    assert sum(answer.reason.startswith(f"tail {silent} gave no") for answer in answers) == 3
    assert any("it is being asked again now" in answer.reason for answer in answers)
    assert edge.tail_counts == TailCounts(unreachable=3, held_back=300, opened=1)


def test_where_there_is_nothing_to_fall_back_on_the_answer_that_ends_an_outage_is_given(
    bundle, workshop, liar
):
    says = iter([(grpc.StatusCode.UNAVAILABLE, "gone")])
    address = liar(lambda request: next(says, answered(request, [[1, 5, 3]])))
    remote_only = dataclasses.replace(bundle, head=None, exit=None)
    policy = LinkPolicy(failures_to_open=1, first_wait_s=0.01)
    sample = workshop.samples(1)[0]
    with Edge(remote_only, tail=address, mode="remote", deadline_s=20, policy=policy) as edge:
        with pytest.raises(TailUnreachableError, match="gone"):
            edge.infer(sample)
        while edge.tail_counts.answered == 0:
            with contextlib.suppress(TailUnreachableError):
                assert edge.infer(sample).source == "tail"
    assert edge.tail_counts._replace(held_back=0) == TailCounts(answered=1, unreachable=1, opened=1)


def test_a_local_edge_has_no_requests_to_count(bundle, workshop):
    with Edge(bundle, mode="local") as edge:
        edge.infer(workshop.samples(1)[0])
    assert edge.tail_counts == TailCounts()


def test_a_slow_tail_falls_back_at_the_deadline_and_its_late_answer_is_forgotten(bundle, host, workshop):
    release = threading.Event()

    def tail(x):
        assert release.wait(10)
        return x[:, :3]

    asking = with_rule(bundle, ALWAYS_ASK)
    with Edge(asking, tail=host(asking, tail=tail), deadline_s=0.3) as edge:
        assert edge.connect()
        late = edge.infer(workshop.samples(1)[0])
        release.set()
        following = edge.infer(workshop.samples(2)[1])
    assert late.source == "fallback"
    assert 0.29 < late.latency_s < 1.5
    features = Network(bundle.head)(bundle.preprocessing(workshop.samples(2)[1:]))
    assert following.source == "tail"
    np.testing.assert_allclose(following.scores, features[0, :3], rtol=1e-5)


def answered(request, scores, **changes):
    outputs = (wire.Tensor("scores", np.asarray(scores, np.float32)),)
    return dataclasses.replace(wire.InferResponse("m", outputs, id=request.id), **changes)


def raw_nan(request):
    data = answered(request, [[1, 2, 3]]).to_bytes()
    return data.replace(np.array([1, 2, 3], "<f4").tobytes(), np.array([1, np.nan, 3], "<f4").tobytes())


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (lambda request: b"\xff\xff", "2 bytes that are no ModelInferResponse"),
        (lambda request: answered(request, [[1, 2]]), r"FP32 (1, 2); scores are FP32 (1, 3)"),
        (lambda request: answered(request, [[1, 2, 3]] * 2), r"FP32 (2, 3)"),
        (lambda request: answered(request, [[1, 2, 3]], id="someone else's"), "an answer to request"),
        (lambda request: answered(request, [[1, 2, 3]], outputs=()), "0 outputs"),
        (raw_nan, "holds nan at 1"),
        (lambda request: 1 / 0, "refused, UNKNOWN"),
        (lambda request: b"\0" * 2_000_000, "refused, RESOURCE_EXHAUSTED"),
    ],
    ids=["garbage", "too few", "too many", "another's", "nothing", "nan", "crash", "flood"],
)
def test_an_answer_that_cannot_be_believed_is_not(bundle, workshop, liar, reply, text, caplog):
    sample = workshop.samples(1)[0]
    with Edge(with_rule(bundle, ALWAYS_ASK), tail=liar(reply), deadline_s=5) as edge:
        answer = edge.infer(sample)
    assert answer.source == "fallback"
    assert text in answer.reason
    np.testing.assert_allclose(answer.scores, computed(bundle, sample)[0], rtol=1e-5)


def test_an_honest_foreign_server_is_believed(bundle, workshop, liar):
    foreign = liar(lambda request: answered(request, [[1, 5, 3]]))
    with Edge(with_rule(bundle, ALWAYS_ASK), tail=foreign) as edge:
        answer = edge.infer(workshop.samples(1)[0])
    assert (answer.source, answer.name) == ("tail", "bee")


@pytest.mark.parametrize("mode", OFFLOADING)
def test_a_tail_of_another_head_is_never_believed(bundle, host, workshop, mode):
    foreign = dataclasses.replace(bundle, head=None, exit=None, head_digest="f" * 64)
    if mode == "remote":
        rng = np.random.default_rng(99)
        foreign = dataclasses.replace(
            bundle, head=workshop.part(workshop.dense(rng, 16, 8)), exit=None, head_digest=""
        )
    with Edge(with_rule(bundle, ALWAYS_ASK), tail=host(foreign), mode=mode) as edge:
        answer = edge.infer(workshop.samples(1)[0])
    assert answer.source == "fallback"
    assert "refused, FAILED_PRECONDITION: features of head" in answer.reason


def test_without_a_head_and_exit_there_is_nothing_to_fall_back_on(bundle, workshop, dead, liar):
    sample = workshop.samples(1)[0]
    remote_only = dataclasses.replace(bundle, head=None, exit=None)
    with (
        Edge(remote_only, tail=dead, mode="remote") as edge,
        pytest.raises(TailUnreachableError, match="is not there"),
    ):
        edge.infer(sample)
    split_only = dataclasses.replace(bundle, exit=None, tail=None)
    with (
        Edge(split_only, tail=liar(lambda request: 1 / 0), mode="split") as edge,
        pytest.raises(TailRefusedError, match="refused, UNKNOWN"),
    ):
        edge.infer(sample)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (np.zeros((4, 3), np.uint8), r"a sample of shape \(4, 3\); this network reads \(3, 4\)"),
        (np.zeros((1, 3, 4), np.uint8), r"a sample of shape \(1, 3, 4\)"),
        (np.zeros((3, 4)), "a sample of type float64; this network reads uint8"),
        (np.full((3, 4), 256), "a sample of type int64"),
        (np.full((3, 4), 256, np.uint16), "a sample of type uint16"),
        ([["a"] * 4] * 3, "a sample of type <U1"),
    ],
    ids=["shape", "batch", "floats", "integers", "uint16", "text"],
)
def test_a_wrong_sample_is_the_callers_fault_in_every_mode(bundle, dead, mode, sample, text):
    with Edge(bundle, tail=dead, mode=mode) as edge, pytest.raises(DataError, match=text):
        edge.infer(sample)


@pytest.mark.parametrize("mode", MODES)
def test_floats_may_come_in_any_precision_but_must_be_finite(bundle, workshop, host, mode):
    floats = workshop.bundle(preprocessing=workshop.preprocessing((16,), "float32"), exit_rule=ALWAYS_ASK)
    with Edge(floats, tail=host(floats), mode=mode) as edge:
        answers = [edge.infer(np.arange(16, dtype=dtype) / 16) for dtype in (np.float16, np.float64)]
        np.testing.assert_array_equal(answers[0].scores, answers[1].scores)
        for bad in (np.nan, np.inf, 1e300):
            with pytest.raises(DataError, match="a sample with NaN or infinity"):
                edge.infer(np.full(16, bad))


def test_a_sample_that_overflows_the_network_is_refused(workshop, dead):
    floats = workshop.bundle(preprocessing=workshop.preprocessing((16,), "float32"))
    for mode in ("local", "split", "split+exit"):
        with Edge(floats, tail=dead, mode=mode) as edge, pytest.raises(DataError, match="overflow"):
            edge.infer(np.full(16, 3e38))


def test_scores_that_overflow_are_no_answer(workshop):
    def huge(n_in, n_out):
        part = workshop.part(workshop.dense(np.random.default_rng(1), n_in, n_out))
        return Part(part.layers, {name: array * np.float32(1e20) for name, array in part.arrays.items()})

    preprocessing = workshop.preprocessing((3, 4), "uint8")
    made = workshop.bundle(preprocessing=preprocessing, head=huge(12, 8), exit=None, tail=huge(8, 3))
    with Edge(made, mode="local") as edge, pytest.raises(DataError, match="the scores overflow"):
        edge.infer(workshop.samples(1)[0])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"mode": "cloud"}, r"unknown mode 'cloud'; use one of local, remote, split, split\+exit"),
        ({"mode": "split"}, "mode 'split' needs a tail; give tail='host:port', or use mode 'local'"),
        ({"tail": "nowhere"}, "tail address 'nowhere'; use host:port, for example 127.0.0.1:8001"),
        ({"tail": "host:70000"}, "tail address 'host:70000'"),
        ({"tail": "unix:/tmp/socket:1"}, "tail address"),
        ({"tail": "127.0.0.1:1", "deadline_s": 0}, "deadline_s=0; use a number of seconds above 0"),
        ({"tail": "127.0.0.1:1", "deadline_s": float("nan")}, "deadline_s=nan"),
    ],
    ids=["mode", "no tail", "no port", "port", "scheme", "deadline", "nan"],
)
def test_a_setting_outside_its_range_is_refused(bundle, settings, text):
    with pytest.raises(ConfigError, match=text):
        Edge(bundle, **settings)


def test_a_missing_part_is_named(bundle, dead):
    for mode, part in [("local", "tail"), ("split", "head"), ("split+exit", "exit")]:
        lacking = dataclasses.replace(bundle, **{part: None})
        with pytest.raises(ConfigError, match=rf"needs the bundle's {part}; bundle 'tiny' has"):
            Edge(lacking, tail=dead, mode=mode)


def test_local_mode_opens_no_socket(bundle, workshop, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a channel was opened")

    monkeypatch.setattr(grpc, "insecure_channel", refuse)
    with Edge(bundle, tail="127.0.0.1:1", mode="local") as edge:
        assert edge.connect()
        assert edge.infer(workshop.samples(1)[0]).source == "local"


def test_connecting_says_whether_the_tail_is_ready(bundle, host, dead):
    with Edge(bundle, tail=host(bundle)) as edge:
        assert edge.connect(timeout_s=5)
    with Edge(bundle, tail=dead) as edge:
        started = time.monotonic()
        assert not edge.connect(timeout_s=0.2)
        assert time.monotonic() - started < 2
    alone = dataclasses.replace(bundle, head=None, exit=None)
    with Edge(bundle, tail=host(alone), mode="remote") as edge:
        assert not edge.connect(timeout_s=5), "that server has no such model"


def test_many_threads_share_an_edge(bundle, host, workshop):
    asking = with_rule(bundle, ALWAYS_ASK)
    samples = workshop.samples(100)
    expected = [computed(bundle, sample)[1] for sample in samples]
    with (
        Edge(asking, tail=host(asking), deadline_s=10) as edge,
        ThreadPoolExecutor(8) as callers,
    ):
        answers = list(callers.map(edge.infer, samples))
    for answer, scores in zip(answers, expected, strict=True):
        assert answer.source == "tail"
        np.testing.assert_allclose(answer.scores, scores, rtol=1e-5, atol=1e-5)


def test_a_closed_edge_says_so(bundle, dead, workshop):
    edge = Edge(bundle, tail=dead)
    edge.close()
    edge.close()
    with pytest.raises(ConfigError, match="this edge is closed; make a new one"):
        edge.infer(workshop.samples(1)[0])
