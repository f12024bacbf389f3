import numpy as np
import onnx
import pytest

from offramp.bundle import InnerExit
from offramp.errors import ConfigError
from offramp.exits import ExitRule
from offramp.export import missing_parts, onnx_models, write_onnx
from offramp.export.onnx import tensors


def test_each_model_is_a_file_of_its_name(workshop, tmp_path):
    models = onnx_models(workshop.bundle())
    sizes = write_onnx(models, tmp_path / "out")
    assert sizes == {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()}
    assert list(sizes) == ["head.onnx", "exit.onnx", "tail.onnx", "whole.onnx"]
    for name, model in models.items():
        assert onnx.load(tmp_path / "out" / f"{name}.onnx") == model


def test_a_folder_that_is_there_is_left_alone(workshop, tmp_path):
    with pytest.raises(ConfigError, match=r"exists already; give another path, or delete it yourself"):
        write_onnx(onnx_models(workshop.bundle()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_side_has_the_models_of_its_parts(workshop):
    device = workshop.bundle(tail=None)
    assert list(onnx_models(device)) == ["head", "exit"]
    assert missing_parts(device) == {"head": [], "exit": [], "tail": ["tail"], "whole": ["tail"]}
    server = workshop.bundle(head=None, exit=None, head_digest="0" * 64)
    assert list(onnx_models(server)) == ["tail"]


def test_an_exit_without_the_part_it_stands_in_is_no_model(workshop):
    rng = np.random.default_rng(1)
    inner = InnerExit("tail", 1, workshop.part(workshop.dense(rng, 6, 3)), ExitRule(0.5))
    bundle = workshop.bundle(head=None, exit=None, tail=None, head_digest="0" * 64, inner_exits=(inner,))
    with pytest.raises(
        ConfigError, match=r"bundle 'tiny' has nothing that is a model by itself; copy head, exit or tail"
    ):
        onnx_models(bundle)
    assert missing_parts(bundle)["exit-tail-1"] == ["tail"]


def test_inputs_and_outputs_are_told_with_type_and_shape(workshop):
    models = onnx_models(workshop.bundle())
    assert tensors(models["exit"].graph.input) == {"features": ("float32", ["n", 8])}
    assert tensors(models["exit"].graph.output) == {
        "scores": ("float32", ["n", 3]),
        "confidence": ("float64", ["n"]),
        "sure": ("bool", ["n"]),
    }
