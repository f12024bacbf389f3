"""Scores of all exits and the tail, without a link."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offramp.bundle import Part, read
from offramp.codec import arrived
from offramp.errors import ConfigError
from offramp.exits import ExitRule, max_softmax
from offramp.runtime import Edge, Network, edge_scores, scores_of, server_scores

GOLDEN = Path(__file__).parents[1] / "bundle" / "goldens" / "version_2"


@pytest.fixture(scope="module")
def whole():
    """Inner exits in head and tail, and an encoder; features cross as float16."""
    return read(GOLDEN)


@pytest.fixture(scope="module")
def raw():
    return np.random.default_rng(1).integers(0, 256, (50, 4, 4), dtype=np.uint8)


def test_every_exit_speaks_in_order_of_execution(whole, raw):
    found = scores_of(whole, raw)
    assert list(found.exits) == ["exit-head-1", "exit", "exit-tail-2"]
    assert found.n_on_edge == 2
    assert found.sent.shape == (50, 3)
    assert {scores.shape for scores in (*found.exits.values(), found.tail)} == {(50, 2)}


def test_each_speaks_of_what_it_would_be_given(whole, raw):
    """The whole network in plain products: the encoder's outputs, as float16, are what the tail reads."""

    def linear(part, i, x):
        arrays = part.arrays
        return x @ arrays[f"{i}.weight"].T + arrays.get(f"{i}.bias", np.float32(0))

    head = whole.head
    first = Network(Part(head.layers[:1], {name: head.arrays[name] for name in head.arrays}))
    before_relu = first(whole.preprocessing(raw))
    features = np.maximum(before_relu, 0)
    sent = linear(whole.encoder, 0, features)
    hidden = np.maximum(linear(whole.tail, 0, sent.astype(np.float16).astype(np.float32)), 0)
    expected = {
        "exit-head-1": linear(whole.inner_exits[0].part, 0, before_relu),
        "exit": linear(whole.exit, 0, features),
        "exit-tail-2": linear(whole.inner_exits[1].part, 0, hidden),
    }
    found = scores_of(whole, raw)
    for name, scores in expected.items():
        np.testing.assert_allclose(found.exits[name], scores, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.sent, sent, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.tail, linear(whole.tail, 2, hidden), rtol=1e-5, atol=1e-5)


def test_both_sides_together_are_the_whole(whole, raw):
    exits, sent = edge_scores(whole, raw)
    behind, tail = server_scores(whole, arrived(whole.codec, sent))
    found = scores_of(whole, raw)
    assert {**exits, **behind}.keys() == found.exits.keys()
    np.testing.assert_array_equal(found.tail, tail)


def test_many_samples_are_computed_a_few_thousand_at_a_time(whole, raw):
    many = np.concatenate([raw] * 100)
    found, one = scores_of(whole, many), scores_of(whole, raw)
    np.testing.assert_allclose(found.exits["exit"][-50:], one.exits["exit"], rtol=1e-5, atol=1e-5)
    assert len(found.tail) == len(many)


def test_no_samples_give_no_scores(whole, raw):
    found = scores_of(whole, raw[:0])
    assert found.exits["exit-head-1"].shape == (0, 2)
    assert found.tail.shape == (0, 2)


def test_a_part_that_is_not_here_is_named(whole, raw):
    device = replace(whole, tail=None, inner_exits=whole.exits("head"))
    with pytest.raises(ConfigError, match=r"bundle 'golden' has no tail here; .*copy their files into"):
        scores_of(device, raw)
    with pytest.raises(ConfigError, match="has no head and no exit here"):
        scores_of(replace(whole, head=None, exit=None, inner_exits=()), raw)


def test_a_device_and_its_server_answer_by_these_scores(whole, raw, host):
    """Each exit gets the median of its confidences as threshold, so that every one answers some samples."""
    said = scores_of(whole, raw)

    def rule(name):
        return ExitRule(float(np.median(max_softmax(said.exits[name]))) + 1e-4)

    inner = tuple(replace(one, rule=rule(one.name)) for one in whole.inner_exits)
    bundle = replace(whole, exit_rule=rule("exit"), inner_exits=inner)
    rules = {inner[0].name: inner[0].rule, "exit": bundle.exit_rule, inner[1].name: inner[1].rule}
    expected, on_device = [], []
    for i in range(len(raw)):
        sure = [name for name in rules if rules[name].sure(said.exits[name][i : i + 1])[0]]
        scores = said.exits[sure[0]] if sure else said.tail
        expected.append(int(scores[i].argmax()))
        on_device.append(bool(sure) and sure[0] != "exit-tail-2")
    assert 0 < sum(on_device) < len(raw)
    with Edge(bundle, tail=host(bundle), mode="split+exit", deadline_s=10) as edge:
        answers = [edge.infer(sample) for sample in raw]
    assert [answer.label for answer in answers] == expected
    assert [answer.source == "exit" for answer in answers] == on_device
