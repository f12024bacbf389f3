"""An edge that computes with integers: the bits of the reference, and a tail that cannot tell."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.int8.networks import bundles, samples_for

from offramp.bundle import InnerExit
from offramp.codec import stacked
from offramp.errors import ConfigError
from offramp.exits import NEVER, ExitRule
from offramp.int8 import IntegerDevice
from offramp.plan.judgement.fitted_grids import fitted_grids
from offramp.runtime import Edge, Network, scores_of, server_scores
from offramp.runtime.answer import Answers
from offramp.runtime.device import Device
from offramp.runtime.offload import Offloads
from offramp.runtime.refining import RefiningEdge

ASKING = ExitRule(NEVER)


def decided(device, raw):
    """The answers of exits, by row, and what is sent of the others."""
    answers = Answers(len(raw), device.bundle.classes, 0.0)
    unsure = device.decide(raw, answers)
    return {row: one for row, one in enumerate(answers._answers) if one is not None}, unsure


@settings(max_examples=25)
@given(bundles(), st.integers(1, 100))
def test_symbols_verdicts_and_bytes_are_those_of_the_reference(bundle, seed):
    reference, raw = IntegerDevice(bundle), samples_for(bundle.preprocessing, 20, seed=seed)
    trace = reference.trace(raw)
    sure = reference.rule.sure(trace.scores)
    answered, unsure = decided(Device(bundle, "split+exit", int8=True), raw)
    assert sorted(answered) == np.flatnonzero(sure).tolist()
    labels, confidence = trace.scores.argmax(axis=1), reference.rule.confidence(trace.scores)
    for row, answer in answered.items():
        assert (answer.label, answer.confidence, answer.exit) == (labels[row], confidence[row], "exit")
    if sure.all():
        assert unsure is None
        return
    assert unsure.rows.tolist() == np.flatnonzero(~sure).tolist()
    np.testing.assert_array_equal(unsure.own().confidence, confidence[~sure])
    np.testing.assert_array_equal(unsure.own().scores.argmax(axis=1), labels[~sure])
    request = Offloads(bundle, raw=False).of(unsure.values).request
    np.testing.assert_array_equal(request.inputs[0].array, stacked(reference.coded(trace.sent[~sure])))


@settings(max_examples=12)
@given(bundles(ASKING), st.integers(1, 100))
def test_what_judges_hear_is_what_edge_and_server_compute(bundle, seed):
    reference, raw = IntegerDevice(bundle), samples_for(bundle.preprocessing, 20, seed=seed)
    trace, heard = reference.trace(raw), scores_of(bundle, raw, int8=True)
    scores = heard.exits["exit"] / heard.units["exit"]
    np.testing.assert_array_equal(np.rint(scores), trace.scores)
    received = bundle.codec.decode_rows(stacked(reference.coded(trace.sent)), bundle.n_sent)
    np.testing.assert_array_equal(heard.tail, server_scores(bundle, received)[1])


@settings(max_examples=8)
@given(bundles(ASKING))
def both_kinds_ask(host, bundle):
    raw = samples_for(bundle.preprocessing, 5, seed=1)
    tail = host(bundle)
    asking = replace(bundle, exit_rule=ASKING)
    with Edge(asking, tail=tail, int8=True) as integers, Edge(asking, tail=tail) as floats:
        ours, theirs = integers.infer_many(raw), floats.infer_many(raw)
    assert {answer.source for answer in ours + theirs} == {"tail"}
    for answers, int8 in ((ours, True), (theirs, False)):
        wanted = scores_of(bundle, raw, int8=int8).tail
        np.testing.assert_allclose([one.scores for one in answers], wanted, rtol=1e-4, atol=1e-4)


def test_integers_and_floats_ask_one_running_tail(host):
    both_kinds_ask(host)


@pytest.fixture
def quantised(bundle):
    """The tiny bundle of this folder, which exits at a level in the middle of its samples'."""
    raw = samples_for(bundle.preprocessing, 40)
    made = replace(bundle, quantisation=fitted_grids(bundle, raw))
    confidence = IntegerDevice(made).rule.confidence(IntegerDevice(made).trace(raw).scores)
    return replace(made, quantisation=replace(made.quantisation, rule=ExitRule(float(np.median(confidence)))))


def test_the_rule_is_that_of_the_integer_exit(quantised, dead):
    raw = samples_for(quantised.preprocessing, 40)
    never = replace(quantised, exit_rule=ASKING)
    with Edge(never, tail=dead, int8=True, deadline_s=0.2) as edge:
        sources = [answer.source for answer in edge.infer_many(raw)]
    assert 10 < sources.count("exit") < 30
    assert sources.count("exit") + sources.count("fallback") == 40


@pytest.mark.parametrize("mode", ["split", "remote", "local"])
def test_every_mode_computes_with_integers(quantised, host, mode):
    raw, device = samples_for(quantised.preprocessing, 6), IntegerDevice(quantised)
    values = device.values(device.trace(raw).sent)
    if mode == "remote":  # the server has the whole network, in float32
        values = Network(quantised.head)(quantised.preprocessing(raw))
    with Edge(quantised, tail=host(quantised), mode=mode, int8=True) as edge:
        assert edge.connect()
        answers = edge.infer_many(raw)
    np.testing.assert_allclose(
        [one.scores for one in answers], Network(quantised.tail)(values), rtol=1e-4, atol=1e-4
    )


def test_where_no_tail_answers_the_integer_exit_does(quantised, dead):
    raw, device = samples_for(quantised.preprocessing, 6), IntegerDevice(quantised)
    scores = device.trace(raw).scores
    for mode in ("remote", "split"):
        with Edge(quantised, tail=dead, mode=mode, int8=True, deadline_s=0.2) as edge:
            answers = edge.infer_many(raw)
        assert {answer.source for answer in answers} == {"fallback"}
        assert [answer.label for answer in answers] == scores.argmax(axis=1).tolist()
        assert [answer.confidence for answer in answers] == device.rule.confidence(scores).tolist()
        assert answers[0].n_macs == quantised.head.n_macs + quantised.exit.n_macs


def test_a_refining_edge_computes_with_integers_too(quantised, host):
    raw, device = samples_for(quantised.preprocessing, 20), IntegerDevice(quantised)
    trace = device.trace(raw)
    sure, confidence = device.rule.sure(trace.scores), device.rule.confidence(trace.scores)
    wanted = server_scores(quantised, device.values(trace.sent))[1].argmax(axis=1)
    with RefiningEdge(quantised, tail=host(quantised), int8=True) as edge:
        answers = [edge.infer(sample, id=str(row)) for row, sample in enumerate(raw)]
        refined = {}
        for one in edge.refinements(timeout_s=20):
            refined[int(one.id)] = one.label
            if len(refined) == (~sure).sum():
                break
    assert [answer.source for answer in answers] == ["exit" if one else "provisional" for one in sure]
    assert [answer.confidence for answer in answers] == confidence.tolist()
    assert refined == {row: wanted[row] for row in np.flatnonzero(~sure).tolist()}


def test_a_bundle_that_is_not_quantised_is_refused(bundle, workshop):
    with pytest.raises(ConfigError, match="'tiny' is not quantised; run: offramp quantise"):
        Edge(bundle, mode="local", int8=True)
    inner = workshop.bundle_with_inner_exits()
    assert isinstance(inner.inner_exits[0], InnerExit)
    fitting = fitted_grids(inner, samples_for(inner.preprocessing))
    with pytest.raises(ConfigError, match="has the inner exit exit-head-2; a device in integers knows the"):
        Edge(replace(inner, quantisation=fitting), mode="local", int8=True)
