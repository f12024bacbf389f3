import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.bundle import Part
from offramp.exits import NEVER, ExitRule
from offramp.kernels import Forward
from offramp.runtime import Network
from offramp.runtime.cascade import Cascade, Way, inner_ways, ways_of_head

thresholds = st.sampled_from([0.0, 0.4, 0.6, 0.8, 0.99, NEVER])


def inputs(n, width, seed=0):
    return np.random.default_rng(seed).standard_normal((n, width), dtype=np.float32)


def one_by_one(part, ways, x):
    """For each row alone: the exit it leaves by, or None, its scores, and multiply-adds."""
    whole = Network(part)
    before = [(way, Network(part, stop=way.after), Network(way.part)) for way in ways]
    told = []
    for row in x:
        n_macs = 0
        for way, layers, exit in before:
            scores = exit(layers(row[None]))
            n_macs += exit.n_macs
            if way.rule.sure(scores)[0]:
                told.append((way.name, scores[0], n_macs + layers.n_macs))
                break
        else:
            told.append((None, whole(row[None])[0], n_macs + whole.n_macs))
    return told


def gathered(passage, n):
    """The same from a passage."""
    told = [None] * n
    for left in passage.left:
        for row, scores in zip(left.rows, left.scores, strict=True):
            told[row] = left.name, scores, left.n_macs
    for row, outputs in zip(passage.rows, passage.outputs, strict=True):
        told[row] = None, outputs, passage.n_macs
    return told


@pytest.mark.parametrize("place", ["head", "tail"])
@settings(max_examples=40)
@given(n=st.integers(0, 40), seed=st.integers(0, 1000), first=thresholds, second=thresholds)
def test_each_row_leaves_by_the_first_exit_that_is_sure_of_it(workshop, place, n, seed, first, second):
    bundle = workshop.bundle_with_inner_exits(head_rule=first, rule=second, tail_rule=first)
    ways = ways_of_head(bundle) if place == "head" else inner_ways(bundle, "tail")
    part = bundle.parts[place]
    x = inputs(n, part.n_in, seed)
    told = gathered(Cascade(part, ways)(x), n)
    for (name, scores, n_macs), expected in zip(told, one_by_one(part, ways, x), strict=True):
        assert (name, n_macs) == (expected[0], expected[2])
        np.testing.assert_allclose(scores, expected[1], rtol=1e-4, atol=1e-5)


def test_what_the_exits_said_to_all_and_to_those_that_stay(workshop):
    bundle = workshop.bundle_with_inner_exits(head_rule=0.9, rule=0.6)
    x = inputs(50, 16)
    passage = Cascade(bundle.head, ways_of_head(bundle))(x)
    inner, cut = ways_of_head(bundle)
    scores = Network(inner.part)(Network(bundle.head, stop=2)(x))
    assert list(passage.seen) == ["exit-head-2", "exit"]
    np.testing.assert_allclose(passage.seen["exit-head-2"], inner.rule.confidence(scores), rtol=1e-6)
    assert len(passage.seen["exit"]) == 50 - len(passage.left[0].rows)
    assert [left.name for left in passage.left] == ["exit-head-2", "exit"]
    for left in passage.left:
        np.testing.assert_array_equal(left.confidence, inner.rule.confidence(left.scores))
        assert (left.confidence >= (inner if left.name == "exit-head-2" else cut).rule.threshold).all()
    assert 0 < len(passage.rows) < 50
    np.testing.assert_array_equal(passage.scores, Network(bundle.exit)(passage.outputs))


def test_rows_that_left_are_computed_no_further(workshop, monkeypatch):
    batches = []

    class Counted(Forward):
        def __call__(self, x, **settings):
            y = super().__call__(x, **settings)
            batches.append((x.shape[1], y.shape[1], len(x)))
            return y

    monkeypatch.setattr("offramp.kernels.Forward", Counted)
    bundle = workshop.bundle_with_inner_exits(tail_rule=0.6)
    tail = Cascade(bundle.tail, inner_ways(bundle, "tail"))
    passage = tail(inputs(40, 8))
    n_left = len(passage.left[0].rows)
    assert 0 < n_left < 40
    assert batches == [(8, 6, 40), (6, 3, 40), (6, 5, 40 - n_left), (5, 3, 40 - n_left)]

    batches.clear()
    sure = workshop.bundle_with_inner_exits(head_rule=0.0)
    Cascade(sure.head, ways_of_head(sure))(inputs(5, 16))
    assert batches == [(16, 12, 5), (12, 3, 5)]


def test_a_row_at_the_threshold_leaves_in_a_batch_if_it_leaves_alone(workshop):
    rng = np.random.default_rng(1)
    layer = workshop.sparse(rng, 800, 40, 8)  # summed in another order for a few rows than for many
    part, exit = workshop.part(layer, workshop.relu), workshop.part(workshop.dense(rng, 40, 3))
    x = inputs(100, 800)
    scores = Network(exit)(Network(part)(x))
    warm = {"temperature": 20.0}  # or all confidences would be 1
    n_rows_of_other_bits = 0
    for row in range(40):
        alone = ExitRule(0, **warm).confidence(Network(exit)(Network(part)(x[row, None])))[0]
        n_rows_of_other_bits += alone != ExitRule(0, **warm).confidence(scores[row, None])[0]
        for threshold in (alone, float(np.nextafter(alone, 2))):
            passage = Cascade(part, [Way("exit", 2, exit, ExitRule(threshold, **warm))])(x)
            assert (row not in passage.rows) == (alone >= threshold)
    assert n_rows_of_other_bits > 10


@pytest.mark.parametrize("threshold", [0.0, 1e-300, 0.999999999, 1.0, NEVER])
def test_thresholds_at_the_ends_of_the_range_decide_as_they_say(workshop, threshold):
    bundle = workshop.bundle(exit_rule=ExitRule(threshold))
    x = np.concatenate([inputs(20, 16), 1e4 * inputs(20, 16)])  # the latter saturate
    passage = Cascade(bundle.head, ways_of_head(bundle))(x)
    alone = [one_by_one(bundle.head, ways_of_head(bundle), row[None])[0][0] for row in x]
    assert passage.rows.tolist() == [i for i, name in enumerate(alone) if name is None]


def test_a_row_that_overflows_leaves_by_no_exit(workshop):
    rng = np.random.default_rng(2)
    layer = workshop.dense(rng, 4, 4)
    part = workshop.part(layer, workshop.dense(rng, 4, 4))
    negative = {name: -np.abs(array) for name, array in layer[1].items()}
    exit = workshop.part((layer[0], negative), workshop.relu, workshop.dense(rng, 4, 3))
    positive = Part(part.layers, {name: np.abs(array) for name, array in part.arrays.items()})
    x = inputs(6, 4)
    x[3] = 3e38  # to infinity; the exit's ReLU makes 0 of -infinity
    assert np.isfinite(Network(exit)(Network(positive, stop=1)(x))).all()
    passage = Cascade(positive, [Way("early", 1, exit, ExitRule(0.0))])(x)
    assert passage.left[0].rows.tolist() == [0, 1, 2, 4, 5]
    assert not np.isfinite(passage.outputs).all()


def test_scores_are_those_of_whoever_answers_and_the_whole_part_can_be_had_too(workshop):
    bundle = workshop.bundle_with_inner_exits(tail_rule=0.6)
    ways = inner_ways(bundle, "tail")
    tail, x = Cascade(bundle.tail, ways), inputs(30, 8)
    told = one_by_one(bundle.tail, ways, x)
    assert {name for name, _, _ in told} == {None, "exit-tail-2"}
    np.testing.assert_allclose(tail.scores(x), [scores for _, scores, _ in told], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(tail.whole(x), Network(bundle.tail)(x))
    without = Cascade(bundle.tail)
    np.testing.assert_array_equal(without.scores(x), tail.whole(x))
    assert without(x).seen == {}


def test_networks_are_all_that_may_be_computed(workshop):
    bundle = workshop.bundle_with_inner_exits()
    networks = Cascade(bundle.head, ways_of_head(bundle)).networks
    parts = [bundle.parts[name] for name in ("head", "exit", "exit-head-2")]
    assert sum(network.n_macs for network in networks) == sum(part.n_macs for part in parts)
