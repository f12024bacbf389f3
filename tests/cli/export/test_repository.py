import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]


def test_tails_go_into_a_repository_that_is_named(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    outcome = cli("export", "repository", bundle, "-o", tmp_path / "tails")
    assert outcome.status == 0, outcome.err
    assert outcome.out == f"{tmp_path}/tails: digits.tail; README.md says how to start a server\n"
    assert (tmp_path / "tails/digits.tail/1/model.onnx").is_file()


def test_the_exported_model_serves_as_the_bundles_tail(
    started: Cli, cli: Cli, bundle: Path, tail: str, tmp_path: Path
) -> None:
    assert cli("export", "repository", bundle, "-o", tmp_path / "tails").status == 0
    model = tmp_path / "tails/digits.tail/1/model.onnx"
    with started("serve", bundle, "--tail", model, "--port", 0, "--json") as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        asked = [
            cli("run", bundle, "--tail", address, "--mode", "split", "--data", "digits", "--limit", 20)
            for address in (tail, f"{announced['host']}:{announced['port']}")
        ]
    answers = [[json.loads(line) for line in outcome.out.splitlines()] for outcome in asked]
    for ours, theirs in zip(*answers, strict=True):
        assert (ours["label"], ours["source"]) == (theirs["label"], "tail")
        assert theirs["source"] == "tail"
        assert abs(ours["confidence"] - theirs["confidence"]) < 1e-5


def test_a_folder_that_is_there_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    assert cli("export", "repository", bundle, "-o", tmp_path).error == (
        f"{tmp_path}: exists already; give another path, or delete it yourself"
    )


def test_a_bundle_without_a_tail_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "edge").mkdir()
    for name in ("manifest.json", "head.safetensors"):
        shutil.copy(bundle / name, tmp_path / "edge")
    outcome = cli("export", "repository", tmp_path / "edge", "-o", tmp_path / "tails")
    assert outcome.error == f"{tmp_path}/edge: no tail to export; copy tail.safetensors into it"
