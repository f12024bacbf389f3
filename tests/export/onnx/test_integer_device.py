"""The device in integers under ONNX Runtime: every number of the reference, and no other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.bundle import InnerExit, Preprocessing, Quantisation, ReluLayer
from offramp.codec import Grid, GriddedCodec, fit_grid
from offramp.errors import ConfigError
from offramp.exits import CRITERIA, ExitRule
from offramp.export import onnx_device_model
from offramp.export.c import encodings, program
from offramp.export.onnx import layers
from offramp.export.onnx.graph import Graph
from offramp.export.onnx.integer_exit import add_level
from offramp.int8 import IntegerDevice, IntegerRule, steps_of
from offramp.runtime import Network
from offramp.verification import expected, verify_onnx


def quantised(bundle, raw):
    """The bundle with grids for what it makes of these samples."""
    x, grids = bundle.preprocessing(raw), {}
    low, high = float(x.min()), float(x.max())
    own = Grid(8, (low,), (max(high - low, 1e-3, abs(low), abs(high)) / 255,))
    features = _add_grids("head", bundle.head, x, grids)
    _add_grids("exit", bundle.exit, features, grids)
    if bundle.encoder:
        _add_grids("encoder", bundle.encoder, features, grids)
    grids["exit"] = grids["exit"][:-1]
    if isinstance(bundle.codec, GriddedCodec):
        sent = "encoder" if bundle.encoder else "head"
        grids[sent] = grids[sent][:-1]
    made = Quantisation(own if bundle.preprocessing.dtype == "float32" else None, grids, bundle.exit_rule)
    return replace(bundle, quantisation=made)


def _add_grids(name, part, x, grids):
    ends = [step.place + 1 + step.relu for step in steps_of(name, part)]
    grids[name] = tuple(fit_grid(Network(part, stop=end)(x), 8) for end in ends)
    return Network(part)(x)


def divided(device, raw):
    """The device with a threshold in the middle of the levels of these samples."""
    trace = device.trace(raw)
    rule = replace(device.quantisation.rule, threshold=float(np.median(device.rule.confidence(trace.scores))))
    return replace(device.bundle, quantisation=replace(device.quantisation, rule=rule))


def assert_equal(bench, bundle, raw):
    device, model = IntegerDevice(bundle), onnx_device_model(bundle, activations=True)
    trace, found = device.trace(raw), bench.run(model, samples=raw)
    level = device.rule.level(trace.scores)
    wanted = {"inputs": trace.inputs, "features": trace.features, "scores": trace.scores.astype(np.int32)}
    for name in ("head", "encoder", "exit"):
        wanted |= {f"{name}.{i}": values for i, values in enumerate(getattr(trace, name)[:-1])}
    if bundle.encoder:
        wanted["sent"] = trace.sent
    wanted |= {
        "level": level.astype(np.int32),
        "label": trace.scores.argmax(axis=1),
        "sure": level >= device.rule.threshold_level,
    }
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert (found[name].dtype, found[name].shape) == (values.dtype, values.shape)
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    return wanted["sure"]


@pytest.mark.parametrize("form", ["dense", "gather"])
def test_every_number_of_every_device_is_that_of_the_reference(workshop, bench, form):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "gathers", lambda layer: form == "gather")
        patch.setattr("offramp.export.onnx.integer_device.gathers", lambda layer: form == "gather")

        @settings(max_examples=8)
        @given(bench.networks(workshop), st.sampled_from([1, 20]))
        def holds(bundle, n):
            raw = bench.samples(bundle.preprocessing, 20)
            bundle = quantised(replace(bundle, inner_exits=()), raw)
            assert_equal(
                bench, divided(IntegerDevice(bundle), raw), bench.samples(bundle.preprocessing, n, seed=1)
            )

        holds()


def device_bundle(workshop, bench, **changes):
    """Bytes (6, 6), pooled to 9 values -> 8 features -> 3 classes, quantised."""
    rng = np.random.default_rng(3)
    fields = {
        "preprocessing": Preprocessing((6, 6), "uint8", pool=2, scale=1 / 255, offset=100.0),
        "head": workshop.part(workshop.dense(rng, 9, 12), workshop.relu, workshop.sparse(rng, 12, 8, 4)),
    }
    bundle = workshop.bundle(**(fields | changes))
    return quantised(bundle, bench.samples(bundle.preprocessing, 50))


@pytest.mark.parametrize("behind", [(), (ReluLayer(),)], ids=["scores as they are", "scores behind a ReLU"])
def test_it_holds_at_both_ends_of_what_bytes_can_be(workshop, bench, behind):
    exit = workshop.part(workshop.dense(np.random.default_rng(2), 8, 3), *((layer, {}) for layer in behind))
    bundle = device_bundle(workshop, bench, exit=exit)
    raw = np.zeros((40, 6, 6), np.uint8)
    raw[1], raw[2, ::2], raw[3, :, 1::2] = 255, 255, 255
    raw[4:] = np.random.default_rng(1).choice(np.array([0, 1, 254, 255], np.uint8), (36, 6, 6))
    assert_equal(bench, bundle, raw)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_levels_are_those_of_the_reference_for_scores_of_any_size(bench, criterion):
    @settings(max_examples=15)
    @given(
        st.integers(2, 6).flatmap(
            lambda n: st.tuples(
                st.lists(
                    st.lists(
                        st.integers(-(2**31), 2**31 - 1) | st.integers(-300, 300), min_size=n, max_size=n
                    ),
                    min_size=1,
                    max_size=8,
                ),
                st.lists(st.floats(-3, 3), min_size=n + 1, max_size=n + 1),
            )
        ),
        st.floats(-30, 30).map(lambda x: 2.0**x),
    )
    def holds(drawn, unit):
        scores, weights = np.array(drawn[0], np.int32), drawn[1] if criterion == "learned" else ()
        rule = IntegerRule(ExitRule(0.5, criterion, weights=weights), unit, scores.shape[1])
        graph = Graph()
        level = add_level(graph, rule, graph.input("scores", np.int32, scores.shape[1]))
        graph.output(level, "level", np.int64)
        found = bench.run(graph.model("level", {}), scores=scores)["level"]
        np.testing.assert_array_equal(found, rule.level(scores.astype(np.int64)))

    holds()


def test_it_stores_weights_of_a_byte_and_every_index_once(workshop, bench):
    rng = np.random.default_rng(1)
    bundle = device_bundle(
        workshop,
        bench,
        preprocessing=Preprocessing((800,), "uint8", scale=1 / 255),
        head=workshop.part(workshop.sparse(rng, 800, 400, 4), workshop.relu),
        exit=workshop.part(workshop.sparse(rng, 400, 3, 3)),
        tail=None,
    )
    n_bytes = len(onnx_device_model(bundle).SerializeToString())
    own = sum(
        layer.n_edges + part.arrays["0.table"].nbytes + 6 * layer.n_out
        for part in (bundle.head, bundle.exit)
        for layer in part.layers[:1]
    )
    assert own < n_bytes < own + 6000


def test_without_being_asked_only_results_leave(workshop, bench):
    model = onnx_device_model(device_bundle(workshop, bench))
    assert [output.name for output in model.graph.output] == ["features", "scores", "label", "level", "sure"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"quantisation": None}, "bundle 'tiny' is not quantised; run: offramp quantise, with its folder"),
        ({"exit": None}, "bundle 'tiny' has no exit here; copy its file into the folder"),
        (
            {"inner": True},
            "bundle 'tiny' has the inner exit exit-head-2; a device in integers knows the exit at the cut"
            " only, train without inner exits",
        ),
    ],
    ids=["not quantised", "no exit", "an exit inside"],
)
def test_what_it_cannot_be_is_one_line(workshop, bench, changes, text):
    if changes.pop("inner", False):
        part = workshop.part(workshop.dense(np.random.default_rng(1), 12, 3))
        changes = {"inner_exits": (InnerExit("head", 2, part, ExitRule(0.5)),)}
    bundle = replace(device_bundle(workshop, bench), **changes)
    with pytest.raises(ConfigError) as caught:
        onnx_device_model(bundle)
    assert str(caught.value) == text


def test_the_last_rung_of_the_ladder_counts_every_number_that_differs(workshop, bench):
    bundle = device_bundle(workshop, bench)
    made = program(bundle, "int8", lambda shape: next(iter(encodings(shape))))
    raw = bench.samples(bundle.preprocessing, 1500)
    wanted = expected(made, raw)
    rung = verify_onnx(made, wanted, raw)
    assert (rung.name, rung.images, rung.mismatches) == ("onnxruntime", 1500, 0)
    assert rung.activations_compared == 1500 * (12 + 8 + 3 + 3)  # label, sure and level of each
    wanted.layers[0][7, 3] ^= 1
    wanted.layers[2][1400, 0] += 1
    wanted.verdict["sure"][[0, 1200]] ^= 1
    assert verify_onnx(made, wanted, raw).mismatches == 4
