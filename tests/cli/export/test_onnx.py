import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from offramp.data import load

Cli = Callable[..., Any]


@pytest.fixture
def device(bundle: Path, tmp_path: Path) -> Path:
    """The bundle as a device has it."""
    shutil.copytree(bundle, tmp_path / "device.bundle")
    (tmp_path / "device.bundle" / "tail.safetensors").unlink()
    return tmp_path / "device.bundle"


def test_every_model_is_named_with_what_it_reads_and_gives(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    outcome = cli("export", "onnx", bundle, "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    sizes = {path.stem: f"{path.stat().st_size:,} bytes" for path in (tmp_path / "out").iterdir()}
    reads = "samples uint8 [n, 8, 8]"
    gets, says = "features float32 [n, 16]", "scores float32 [n, 10]"
    assert outcome.out.splitlines() == [
        f"{tmp_path}/out/head.onnx: {reads} -> {gets}; {sizes['head']}",
        f"{tmp_path}/out/exit.onnx: {gets} -> {says}, confidence float64 [n], sure bool [n]; {sizes['exit']}",
        f"{tmp_path}/out/tail.onnx: {gets} -> {says}; {sizes['tail']}",
        f"{tmp_path}/out/whole.onnx: {reads} -> {says}, label int64 [n], confidence float64 [n],"
        f" answered_by int64 [n]; {sizes['whole']}",
    ]


def test_the_whole_answers_as_a_device_and_its_server_do(
    cli: Cli, bundle: Path, tail: str, tmp_path: Path
) -> None:
    assert cli("export", "onnx", bundle, "-o", tmp_path / "out").status == 0
    asked = cli("run", bundle, "--tail", tail, "--data", "digits", "--limit", 50)
    answers = [json.loads(line) for line in asked.out.splitlines()]
    session = onnxruntime.InferenceSession(tmp_path / "out/whole.onnx", providers=["CPUExecutionProvider"])
    digits = load("digits")
    samples = digits.x[digits.splits["test"]][:50]
    labels, confidence, answered_by = session.run(
        ["label", "confidence", "answered_by"], {"samples": samples}
    )
    assert labels.tolist() == [answer["label"] for answer in answers]
    assert [("exit", "tail")[i] for i in answered_by] == [answer["source"] for answer in answers]
    np.testing.assert_allclose(confidence, [answer["confidence"] for answer in answers], atol=1e-5)


def test_what_a_device_has_not_is_left_out_and_told(cli: Cli, device: Path, tmp_path: Path) -> None:
    outcome = cli("export", "onnx", device, "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    assert outcome.out.splitlines()[2:] == [
        f"left out: {name}.onnx, which takes tail.safetensors; copy it into {device}"
        for name in ("tail", "whole")
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["exit.onnx", "head.onnx"]


def test_json_has_the_same(cli: Cli, device: Path, tmp_path: Path) -> None:
    outcome = cli("export", "onnx", device, "-o", tmp_path / "out", "--json")
    told = json.loads(outcome.out)
    assert told["folder"] == str(tmp_path / "out")
    assert told["left_out"] == {"tail": ["tail"], "whole": ["tail"]}
    assert told["models"]["head"] == {
        "file": "head.onnx",
        "bytes": (tmp_path / "out/head.onnx").stat().st_size,
        "inputs": [{"name": "samples", "dtype": "uint8", "shape": ["n", 8, 8]}],
        "outputs": [{"name": "features", "dtype": "float32", "shape": ["n", 16]}],
    }


def test_a_folder_that_is_there_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    assert cli("export", "onnx", bundle, "-o", tmp_path).error == (
        f"{tmp_path}: exists already; give another path, or delete it yourself"
    )


def test_a_bundle_that_is_none_is_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert "manifest.json" in cli("export", "onnx", tmp_path / "nothing", "-o", tmp_path / "out").error
    assert not (tmp_path / "out").exists()
