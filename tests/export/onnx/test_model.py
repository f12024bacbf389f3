import sys

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import HEAD_DIGEST_KEY
from offramp.errors import ConfigError, MissingDependencyError
from offramp.export import onnx_tail_model, to_onnx
from offramp.export.onnx import layers
from offramp.runtime import Network


def assert_equal_to_ours(bench, part, x):
    model, ours = to_onnx(part, name="tail", reads="features", writes="scores"), Network(part)(x)
    scores = bench.run(model, features=x)["scores"]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, ours, rtol=1e-5, atol=1e-5 * max(1.0, np.abs(ours).max()))


@pytest.mark.parametrize("form", ["Gemm", "gather"])
def test_a_model_computes_what_we_do_for_every_kind_of_layer(workshop, bench, form):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "gathers", lambda layer: form == "gather")

        @given(bench.parts(workshop), st.integers(1, 5))
        def holds(part, n_rows):
            x = np.random.default_rng(n_rows).standard_normal((n_rows, part.n_in), np.float32)
            assert_equal_to_ours(bench, part, x)

        holds()


def test_a_wide_thin_junction_is_gathered_and_no_other(workshop, bench):
    rng = np.random.default_rng(1)
    wide, dense_enough, small = (
        workshop.sparse(rng, n_in, n_out, out_degree)
        for n_in, n_out, out_degree in ((2048, 1024, 8), (2048, 1024, 32), (512, 256, 1))
    )
    assert [layers.gathers(layer) for layer, _ in (wide, dense_enough, small)] == [True, False, False]
    assert_equal_to_ours(bench, workshop.part(wide), rng.standard_normal((3, 2048), np.float32))


def test_weights_and_indices_are_stored_once_and_no_zero_is(workshop):
    part = workshop.part(workshop.sparse(np.random.default_rng(1), 800, 400, 4))
    n_bytes = len(to_onnx(part, name="tail", reads="features", writes="scores").SerializeToString())
    stored = sum(array.nbytes for array in part.arrays.values())
    assert stored < n_bytes < stored + 2000


def test_a_tails_model_says_what_it_reads_and_of_which_head(workshop):
    bundle = workshop.bundle()
    model = onnx_tail_model(bundle)
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        HEAD_DIGEST_KEY: bundle.features_digest,
        "offramp.codec": "float32",
        "offramp.codec_digest": "",
        "offramp.classes": '["ant", "bee", "cat"]',
    }
    assert [model.graph.input[0].name, model.graph.output[0].name] == ["features", "scores"]
    assert [
        (size.dim_param, size.dim_value)
        for tensor in (*model.graph.input, *model.graph.output)
        for size in tensor.type.tensor_type.shape.dim
    ] == [("n", 0), ("", 8), ("n", 0), ("", 3)]
    assert {node.domain for node in model.graph.node} == {""}
    assert len({tensor.name for tensor in model.graph.initializer}) == len(model.graph.initializer)
    assert onnx.load_model_from_string(model.SerializeToString()) == model


def test_a_bundle_without_a_tail_has_no_model(workshop):
    with pytest.raises(
        ConfigError, match=r"bundle 'tiny' has no tail to export; copy tail.safetensors into it"
    ):
        onnx_tail_model(workshop.bundle(tail=None))


def test_without_onnx_the_error_says_what_to_install(workshop, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"needs onnx, which is not installed; run: pip install"):
        onnx_tail_model(workshop.bundle())
