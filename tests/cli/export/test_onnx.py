import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from offramp.bundle import Quantisation, read, write
from offramp.codec import GriddedCodec, fit_grid
from offramp.data import load
from offramp.runtime import Network

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


def test_a_quantised_device_is_a_model_too(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    plain = read(bundle)
    assert plain.head is not None
    features = Network(plain.head)(plain.preprocessing(load("digits").x))
    grids = {} if isinstance(plain.codec, GriddedCodec) else {"head": (fit_grid(features, 8),)}
    quantisation = Quantisation(None, grids, plain.exit_rule)
    write(replace(plain, quantisation=quantisation), tmp_path / "quantised.bundle")
    outcome = cli("export", "onnx", tmp_path / "quantised.bundle", "--int8", "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    size = (tmp_path / "out/device.int8.onnx").stat().st_size
    assert outcome.out.splitlines()[-1] == (
        f"{tmp_path}/out/device.int8.onnx: samples uint8 [n, 8, 8] -> features uint8 [n, 16],"
        f" scores int32 [n, 10], label int64 [n], level int32 [n], sure bool [n]; {size:,} bytes"
    )


def test_a_device_that_is_not_quantised_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    outcome = cli("export", "onnx", bundle, "--int8", "-o", tmp_path / "out")
    assert outcome.error == ("bundle 'digits' is not quantised; run: offramp quantise, with its folder")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    assert cli("export", "onnx", bundle, "-o", tmp_path).error == (
        f"{tmp_path}: exists already; give another path, or delete it yourself"
    )


def test_a_bundle_that_is_none_is_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert "manifest.json" in cli("export", "onnx", tmp_path / "nothing", "-o", tmp_path / "out").error
    assert not (tmp_path / "out").exists()
