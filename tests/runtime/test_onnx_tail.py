import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from offramp.bundle import HEAD_DIGEST_KEY
from offramp.errors import ConfigError, MissingDependencyError
from offramp.export import onnx_tail_model
from offramp.runtime import Edge, Network, onnx_tail


@pytest.fixture
def model_path(bundle, tmp_path):
    """The tail of the bundle, exported."""
    onnx.save(onnx_tail_model(bundle), tmp_path / "tail.onnx")
    return tmp_path / "tail.onnx"


def save_sum(path, *, reads=(("x", TensorProto.FLOAT, ["n", 8]),), writes=(TensorProto.FLOAT, ["n", 3])):
    """A model that adds up its inputs and gives the first columns."""
    inputs = [helper.make_tensor_value_info(*tensor) for tensor in reads]
    outputs = [helper.make_tensor_value_info("y", *writes)]
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in (("from", 0), ("to", writes[1][1]), ("axis", 1))
    ]
    total = helper.make_node("Sum", [name for name, *_ in reads], ["total"])
    cut = helper.make_node("Slice", ["total", "from", "to", "axis"], ["y"])
    graph = helper.make_graph([total, cut], "sum", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)


def test_an_exported_tail_gives_the_scores_of_the_bundles_own(bundle, model_path):
    x = np.random.default_rng(1).standard_normal((5, 8), np.float32)
    np.testing.assert_allclose(onnx_tail(model_path, bundle)(x), Network(bundle.tail)(x), rtol=1e-5)


def test_a_server_answers_with_it(bundle, workshop, host, model_path):
    samples = workshop.samples(20)
    address = host(bundle, tail=onnx_tail(model_path, bundle))
    with Edge(bundle, mode="local") as alone, Edge(bundle, tail=address, mode="split") as edge:
        answers = edge.infer_many(samples)
        assert {answer.source for answer in answers} == {"tail"}
        np.testing.assert_allclose(
            [answer.scores for answer in answers],
            [answer.scores for answer in alone.infer_many(samples)],
            rtol=1e-5,
        )


def test_a_model_of_somebody_else_that_fits_is_taken(bundle, tmp_path):
    save_sum(tmp_path / "sum.onnx")
    x = np.arange(16, dtype=np.float32).reshape(2, 8)
    np.testing.assert_array_equal(onnx_tail(tmp_path / "sum.onnx", bundle)(x), x[:, :3])


TWO = (("x", TensorProto.FLOAT, ["n", 8]), ("z", TensorProto.FLOAT, ["n", 8]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reads": TWO}, "2 inputs; a tail has one, features, and gives one, scores"),
        (
            {"reads": (("x", TensorProto.FLOAT, ["n", 7]),)},
            "input 'x' is tensor(float) [n, 7]; this bundle's tail has tensor(float) [any, 8]",
        ),
        (
            {"reads": (("x", TensorProto.FLOAT, [1, 8]),)},
            "input 'x' is tensor(float) [1, 8]; this bundle's tail has tensor(float) [any, 8]",
        ),
        (
            {"reads": (("x", TensorProto.DOUBLE, ["n", 8]),), "writes": (TensorProto.DOUBLE, ["n", 3])},
            "input 'x' is tensor(double) [n, 8]; this bundle's tail has tensor(float) [any, 8]",
        ),
        (
            {"writes": (TensorProto.FLOAT, ["n", 4])},
            "output 'y' is tensor(float) [n, 4]; this bundle's tail has tensor(float) [any, 3]",
        ),
    ],
    ids=["two inputs", "width", "fixed batch", "type", "classes"],
)
def test_a_model_that_does_not_fit_the_bundle_is_refused_when_loaded(bundle, tmp_path, changes, message):
    save_sum(tmp_path / "other.onnx", **changes)
    with pytest.raises(ConfigError) as told:
        onnx_tail(tmp_path / "other.onnx", bundle)
    assert str(told.value) == f"{tmp_path}/other.onnx: {message}"


def test_a_tail_of_another_head_is_refused_when_loaded(bundle, workshop, tmp_path):
    rng = np.random.default_rng(9)
    stranger = workshop.bundle(head=workshop.part(workshop.dense(rng, 16, 8)))
    model = onnx_tail_model(stranger)
    assert model.metadata_props[0].key == HEAD_DIGEST_KEY
    onnx.save(model, tmp_path / "tail.onnx")
    with pytest.raises(ConfigError) as told:
        onnx_tail(tmp_path / "tail.onnx", bundle)
    assert str(told.value) == (
        f"{tmp_path}/tail.onnx: understands features of head {stranger.features_digest[:12]!r},"
        f" this bundle has head {bundle.features_digest[:12]!r}; export the tail of this bundle"
    )


@pytest.mark.parametrize("content", [b"", b"noise"], ids=["empty", "noise"])
def test_a_file_that_is_no_model_is_refused_in_one_line(bundle, tmp_path, content, capfd):
    (tmp_path / "tail.onnx").write_bytes(content)
    with pytest.raises(ConfigError, match=r"onnxruntime cannot run it \(.+\); export the tail anew") as told:
        onnx_tail(tmp_path / "tail.onnx", bundle)
    assert "\n" not in str(told.value)
    assert capfd.readouterr() == ("", "")


def test_without_onnxruntime_the_error_says_what_to_install(bundle, model_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"needs onnxruntime, which is not installed; run: pip"):
        onnx_tail(model_path, bundle)
