import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offramp.bundle import part_bytes, read

Cli = Callable[..., Any]


def test_json_tells_what_the_bundle_holds(cli: Cli, bundle: Path) -> None:
    outcome = cli("inspect", bundle, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    content, expected = json.loads(outcome.out), read(bundle)
    head = content["parts"]["head"]
    assert content["head_digest"] == head["digest"] == expected.head_digest
    assert head["parameters"] == 64 * 4 + 16
    assert head["macs"] == 64 * 4
    assert head["bytes"] == part_bytes(bundle, "head")
    sparse, relu = head["layers"]
    assert relu == {"kind": "relu"}
    assert (sparse["kind"], sparse["out_degree"], sparse["in_degree"], sparse["block"]) == (
        "sparse",
        4,
        16,
        [4, 4],
    )
    assert sparse["density"] == 0.25
    assert content["exit_rule"]["threshold"] == expected.exit_rule.threshold
    assert content["exit_rule"]["evidence"]["method"] == "empirical"
    assert content["preprocessing"]["shape"] == [8, 8]
    assert len(content["training"]["history"]) == 20


def test_the_table_shows_every_junction_and_fact(cli: Cli, bundle: Path) -> None:
    out = cli("inspect", bundle).out
    for words in ("64 → 16", "16 → 10", "16 → 32", "32 → 10", "4×4", "float32", "max_softmax at least"):
        assert words in out
    assert read(bundle).head_digest in out


def test_a_device_that_has_the_head_alone_can_look_at_it(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "head.safetensors"):
        shutil.copy(bundle / name, tmp_path)
    content = json.loads(cli("inspect", tmp_path, "--json").out)
    assert list(content["parts"]) == ["head"]


def test_a_missing_bundle_is_one_line(cli: Cli, tmp_path: Path) -> None:
    assert "absent/manifest.json: No such file or directory" in cli("inspect", tmp_path / "absent").error


def test_a_truncated_bundle_is_one_line_that_names_the_file(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    head = copy / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-7])
    assert "head.safetensors" in cli("inspect", copy).error
    assert "truncated" in cli("inspect", copy).error
