import json

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from offramp.errors import ConfigError
from offramp.export import write_repository
from offramp.runtime import Network


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_tail_is_there_in_the_layouts_of_triton_and_mlserver(workshop, tmp_path):
    write_repository([workshop.bundle("ants"), workshop.bundle("bees")], tmp_path / "tails")
    assert everything(tmp_path / "tails") == [
        "README.md",
        *(
            f"{name}.tail/{file}"
            for name in ("ants", "bees")
            for file in ("1/model.onnx", "config.pbtxt", "mlserver_onnx.py", "model-settings.json")
        ),
        "settings.json",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["tails"]


def test_the_model_in_the_folder_is_the_tail(workshop, tmp_path):
    bundle = workshop.bundle()
    write_repository([bundle], tmp_path / "tails")
    session = onnxruntime.InferenceSession(
        tmp_path / "tails/tiny.tail/1/model.onnx", providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(1).standard_normal((5, 8), np.float32)
    np.testing.assert_allclose(session.run(None, {"features": x})[0], Network(bundle.tail)(x), rtol=1e-5)


def test_triton_can_read_the_configuration(workshop, tmp_path):
    write_repository([workshop.bundle()], tmp_path / "tails")
    config = text_format.Parse(
        (tmp_path / "tails/tiny.tail/config.pbtxt").read_text(), model_config_pb2.ModelConfig()
    )
    assert (config.name, config.backend, config.max_batch_size) == ("tiny.tail", "onnxruntime", 256)
    assert config.HasField("dynamic_batching")
    (reads,), (writes,) = config.input, config.output
    assert [(t.name, t.data_type, list(t.dims)) for t in (reads, writes)] == [
        ("features", model_config_pb2.TYPE_FP32, [8]),
        ("scores", model_config_pb2.TYPE_FP32, [3]),
    ]


def test_mlserver_is_told_of_the_model_and_listens_on_loopback(workshop, tmp_path):
    write_repository([workshop.bundle()], tmp_path / "tails")
    model = json.loads((tmp_path / "tails/tiny.tail/model-settings.json").read_text())
    assert (model["name"], model["inputs"][0]["shape"], model["outputs"][0]["shape"]) == (
        "tiny.tail",
        [-1, 8],
        [-1, 3],
    )
    assert (tmp_path / "tails/tiny.tail" / model["parameters"]["uri"]).is_file()
    assert json.loads((tmp_path / "tails/settings.json").read_text())["host"] == "127.0.0.1"


def test_the_page_names_each_model_and_the_three_commands(workshop, tmp_path):
    bundle = workshop.bundle()
    write_repository([bundle], tmp_path / "tails")
    page = (tmp_path / "tails/README.md").read_text()
    assert f"- `tiny.tail`: 8 features, 3 classes, head {bundle.features_digest}" in page
    for command in ("tritonserver --model-repository=.", "kind: InferenceService", "mlserver start ."):
        assert command in page


def test_a_folder_that_is_there_is_left_alone(workshop, tmp_path):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(ConfigError, match=r"exists already; give another path, or delete it yourself"):
        write_repository([workshop.bundle()], tmp_path)
    assert everything(tmp_path) == ["note"]


def test_a_folder_in_no_folder_is_refused(workshop, tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere is no folder one may write to; give another path"):
        write_repository([workshop.bundle()], tmp_path / "nowhere" / "tails")


def test_two_bundles_of_one_name_are_refused(workshop, tmp_path):
    with pytest.raises(ConfigError, match=r"two bundles named 'tiny'; a server has one model of a name"):
        write_repository([workshop.bundle(), workshop.bundle()], tmp_path / "tails")
    assert everything(tmp_path) == []


def test_a_disk_that_fails_leaves_nothing_behind(workshop, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.rename", fail)
    with pytest.raises(ConfigError, match=r"cannot be written: No space left on device; check the folder"):
        write_repository([workshop.bundle()], tmp_path / "tails")
    assert list(tmp_path.iterdir()) == []
