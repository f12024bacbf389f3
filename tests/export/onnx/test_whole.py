"""Each part's model says what the part does, and the whole what the system in mode "split+exit" does."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from offramp.bundle import InnerExit, Preprocessing, read
from offramp.codec import CODECS, arrived, codec_from, fit_codec
from offramp.exits import CRITERIA, ExitRule, max_softmax
from offramp.export import onnx_models
from offramp.export.onnx.arrival import add_arrival
from offramp.export.onnx.graph import Graph
from offramp.runtime import Edge, edge_scores, scores_of, server_scores

GOLDEN = Path(__file__).parents[2] / "bundle" / "goldens" / "version_2"


def close(ours, theirs):
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5 * max(1.0, np.abs(ours).max()))


def near(confidence, threshold):
    """Whether the order of sums may decide; as runtime/cascade.py has it."""

    def odds(p):
        p = np.clip(p, 1e-300, 1 - 1e-13)
        return np.log(p) - np.log1p(-p)

    return np.abs(odds(confidence) - odds(np.float64(threshold))) < 1e-3


def rules_of(bundle):
    inner = {one.name: one.rule for one in bundle.inner_exits}
    return inner | {"exit": bundle.exit_rule}


def test_every_model_of_every_network_says_what_the_runtime_does(workshop, bench):
    @settings(max_examples=12)
    @given(bench.networks(workshop), st.sampled_from([1, 20]))
    def holds(bundle, n):
        raw, models, rules = bench.samples(bundle.preprocessing, n), onnx_models(bundle), rules_of(bundle)
        features = bench.run(models["head"], samples=raw)["features"]
        sent = bench.run(models["encoder"], features=features)["sent"] if bundle.encoder else features
        exits, ours_sent = edge_scores(bundle, raw)
        close(ours_sent, sent)
        # From here on with what was sent by ONNX: a value between two levels of a codec may go to either.
        there = arrived(bundle.codec, sent)
        behind, tail = server_scores(bundle, there)
        close(tail, bench.run(models["tail"], features=there)["scores"])
        said, unclear = exits | behind, np.zeros(n, bool)
        for name, scores in said.items():
            reads = {"samples": raw} if name in exits and name != "exit" else {"features": features}
            verdict = bench.run(models[name], **(reads if name in exits else {"features": there}))
            close(scores, verdict["scores"])
            unclear |= assert_sure(rules[name], scores, verdict)
        whole = bench.run(models["whole"], samples=raw)
        (answerers,) = (
            json.loads(entry.value)
            for entry in models["whole"].metadata_props
            if entry.key == "offramp.answerers"
        )
        assert answerers == [*said, "tail"]
        assert_answers(whole, said | {"tail": tail}, exits, rules, unclear)

    holds()


def assert_sure(rule, scores, verdict):
    """Which rows are too near to the threshold to tell."""
    confidence = rule.confidence(scores)
    assert verdict["confidence"].dtype == np.float64
    np.testing.assert_allclose(
        rule.confidence(verdict["scores"]), verdict["confidence"], rtol=1e-9, atol=1e-12
    )
    unclear = near(confidence, rule.threshold) | near(verdict["confidence"], rule.threshold)
    np.testing.assert_array_equal(verdict["sure"][~unclear], rule.sure(scores)[~unclear])
    return unclear


def assert_answers(whole, said, exits, rules, unclear):
    names = list(said)
    for i in np.flatnonzero(~unclear):
        scores = {name: of_all[i : i + 1] for name, of_all in said.items()}
        answerer = next((name for name in names[:-1] if rules[name].sure(scores[name])[0]), "tail")
        assert names[whole["answered_by"][i]] == answerer
        close(scores[answerer][0], whole["scores"][i])
        assert whole["label"][i] == whole["scores"][i].argmax()
        confidence = rules[answerer].confidence if answerer in exits else max_softmax
        given = whole["scores"][i : i + 1]
        assert math.isclose(whole["confidence"][i], confidence(given)[0], rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("codec", CODECS)
def test_features_arrive_bit_for_bit(bench, codec):
    numbers = st.floats(-1e6, 1e6, width=32) | st.integers(-300, 300).map(lambda i: i / 2)  # ties
    matrices = npst.arrays(np.float32, (6, 3), elements=numbers)

    @settings(max_examples=10)
    @given(matrices, matrices)
    def holds(fitted_to, x):
        fitted, graph = fit_codec(codec, fitted_to), Graph()
        graph.output(add_arrival(graph, fitted, graph.input("sent", np.float32, 3)), "there", np.float32, 3)
        there = bench.run(graph.model("arrival", {}), sent=np.concatenate([x, fitted_to]))["there"]
        ours = arrived(fitted, np.concatenate([x, fitted_to]))
        np.testing.assert_array_equal(there, ours)

    holds()


def test_ties_of_a_grid_go_to_the_even_symbol_as_in_the_codec(bench):
    codec = codec_from("int8", {"low": [0], "step": [1]})
    x, graph = np.arange(-1, 257, 0.5, np.float32)[:, None], Graph()
    graph.output(add_arrival(graph, codec, graph.input("sent", np.float32, 1)), "there", np.float32, 1)
    there = bench.run(graph.model("arrival", {}), sent=x)["there"]
    np.testing.assert_array_equal(there, arrived(codec, x))
    assert there.ravel()[2:9].tolist() == [0, 0, 1, 2, 2, 2, 3]


def test_an_edge_and_its_server_answer_as_the_whole_does(bench, served):
    """Each exit gets the median of its confidences as threshold, so that every one answers some samples."""
    bundle = read(GOLDEN)
    raw = bench.samples(bundle.preprocessing, 50, seed=1)
    said = scores_of(bundle, raw).exits

    def rule(name):
        return ExitRule(float(np.median(max_softmax(said[name]))) + 1e-4)

    bundle = replace(
        bundle,
        exit_rule=rule("exit"),
        inner_exits=tuple(replace(one, rule=rule(one.name)) for one in bundle.inner_exits),
    )
    with Edge(bundle, tail=served(bundle), deadline_s=20) as edge:
        answers = list(edge.infer_many(raw))
    whole = bench.run(onnx_models(bundle)["whole"], samples=raw)
    names = ["exit-head-1", "exit", None, None]
    assert [names[i] for i in whole["answered_by"]] == [answer.exit for answer in answers]
    assert set(whole["answered_by"]) == {0, 1, 2, 3}
    assert whole["label"].tolist() == [answer.label for answer in answers]
    close(np.array([answer.scores for answer in answers]), whole["scores"])
    close(np.array([answer.confidence for answer in answers]), whole["confidence"])


def test_a_sample_that_the_edge_refuses_has_no_answer_and_leaves_the_others_alone(workshop, bench):
    preprocessing = Preprocessing((12,), "float32")
    for codec in ("float32", "float16", "int8"):
        sent = np.abs(np.random.default_rng(1).standard_normal((9, 8), np.float32))
        bundle = workshop.bundle(preprocessing=preprocessing, codec=fit_codec(codec, sent))
        models, raw = onnx_models(bundle), bench.samples(preprocessing, 6)
        sound = bench.run(models["whole"], samples=raw)
        raw[1, 3], raw[2, 0], raw[4] = np.nan, -np.inf, 3e38
        whole = bench.run(models["whole"], samples=raw)
        features = bench.run(models["head"], samples=raw)["features"]
        assert np.isnan(features[[1, 2]]).all()
        assert not np.isfinite(features[4]).all()
        assert whole["label"][[1, 2, 4]].tolist() == [-1, -1, -1]
        assert whole["answered_by"][[1, 2, 4]].tolist() == [-1, -1, -1]
        assert np.isnan(whole["scores"][[1, 2, 4]]).all()
        assert np.isnan(whole["confidence"][[1, 2, 4]]).all()
        for name, values in whole.items():
            np.testing.assert_allclose(values[[0, 3, 5]], sound[name][[0, 3, 5]], rtol=1e-6)


def test_a_relu_that_hides_an_infinite_sample_makes_no_answer_of_it(workshop, bench):
    rng = np.random.default_rng(1)
    dense, arrays = workshop.dense(rng, 12, 8)
    negative = {name: -np.abs(array) for name, array in arrays.items()}
    inner = workshop.part(workshop.dense(rng, 8, 3))
    bundle = workshop.bundle(
        head=workshop.part((dense, negative), workshop.relu, workshop.dense(rng, 8, 8)),
        exit_rule=ExitRule(0.0),
        inner_exits=(InnerExit("head", 2, inner, ExitRule(0.0)),),
    )
    raw = np.ones((2, 12), np.float32)
    raw[1] = np.inf
    models = onnx_models(bundle)
    assert bench.run(models["exit-head-2"], samples=raw)["sure"].tolist() == [True, False]
    whole = bench.run(models["whole"], samples=raw)
    assert (whole["label"][0] >= 0, whole["label"][1]) == (True, -1)
    assert np.isnan(whole["scores"][1]).all()


@pytest.mark.parametrize("criterion", CRITERIA)
def test_scores_that_overflow_are_no_verdict(workshop, bench, criterion):
    weights = (1.0, -1.0, 0.0, 0.5) if criterion == "learned" else ()
    dense, arrays = workshop.dense(np.random.default_rng(1), 8, 3)
    arrays["weight"][2] = -1e37
    exit = workshop.part((dense, arrays))
    bundle = workshop.bundle(exit=exit, exit_rule=ExitRule(0.0, criterion, weights=weights))
    features = np.ones((4, 8), np.float32)
    features[1], features[2, 3], features[3] = (
        10,
        np.nan,
        0,
    )  # 10 makes the last score -inf, the others finite
    verdict = bench.run(onnx_models(bundle)["exit"], features=features)
    assert np.isnan(verdict["confidence"]).tolist() == [False, True, True, False]
    assert verdict["sure"].tolist() == [True, False, False, True]


def test_the_whole_stores_every_weight_and_index_once_and_no_zero(workshop):
    rng = np.random.default_rng(1)
    bundle = workshop.bundle(
        preprocessing=Preprocessing((800,), "uint8", scale=1 / 255),
        head=workshop.part(workshop.sparse(rng, 800, 400, 4), workshop.relu),
        exit=workshop.part(workshop.dense(rng, 400, 3)),
        tail=workshop.part(workshop.sparse(rng, 400, 200, 4), workshop.relu, workshop.dense(rng, 200, 3)),
        codec=fit_codec("int8", rng.standard_normal((9, 400), np.float32)),
    )
    stored = {
        name: sum(array.nbytes for array in part.arrays.values()) for name, part in bundle.parts.items()
    }
    sizes = {name: len(model.SerializeToString()) for name, model in onnx_models(bundle).items()}
    for name, n_bytes in stored.items():
        assert n_bytes < sizes[name] < n_bytes + 4000
    grid = 3 * 4 * 400
    assert sum(stored.values()) + grid < sizes["whole"] < sum(stored.values()) + grid + 10_000
