"""offramp evaluate."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.bundle import read, write
from offramp.codec import CODECS, FloatCodec
from offramp.data import load
from offramp.plan.judgement import calibrated, codec_study, evaluated

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def certified(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, calibrated for at most 10% lost."""
    folder = tmp_path_factory.mktemp("evaluate") / "certified"
    digits = load("digits", seed=0)
    write(calibrated(read(bundle), *digits.split("calibration"), risk=0.1).bundle, folder)
    return folder


@pytest.fixture(scope="module")
def told(certified: Path, offramp: Callable[..., Any]) -> dict[str, Any]:
    """What a script is told."""
    outcome = offramp("evaluate", certified, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    content: dict[str, Any] = json.loads(outcome.out)
    return content


def test_json_has_what_evaluated_finds(certified: Path, told: dict[str, Any]) -> None:
    found = evaluated(read(certified), *load("digits", seed=0).split("test"))
    assert told["data"] == f"the test split of digits, {found.n} samples"
    assert told["n"] == found.n
    for name in ("system_accuracy", "tail_accuracy", "exit_rate", "edge_exit_rate"):
        assert told[name] == pytest.approx(getattr(found, name)._asdict())
    (exit,) = told["exits"]
    assert (exit["name"], exit["on_edge"]) == ("exit", True)
    assert exit["accuracy"]["value"] == pytest.approx(found.exits[0].accuracy.value)
    assert exit["ece"] == pytest.approx(found.exits[0].reliability.ece)
    assert {name: risk["value"] for name, risk in told["risks"].items()} == pytest.approx(
        {name: risk.value for name, risk in found.risks.items()}
    )


def test_what_was_certified_stands_beside_what_came_true(certified: Path, told: dict[str, Any]) -> None:
    evidence = read(certified).exit_rule.evidence
    assert told["certified"] == {
        key: evidence[key] for key in ("measure", "risk", "confidence", "method", "guarantee")
    }


def test_every_codec_is_fitted_to_the_training_split(certified: Path, told: dict[str, Any]) -> None:
    digits = load("digits", seed=0)
    rows = codec_study(read(certified), digits.split("train")[0], *digits.split("test"))
    assert tuple(row["name"] for row in told["codecs"]) == CODECS
    for found, expected in zip(told["codecs"], rows, strict=True):
        assert found["digest"] == expected.digest
        assert found["bytes_per_sample"] == pytest.approx(expected.bytes_per_sample)
        assert found["tail_accuracy"] == pytest.approx(expected.tail_accuracy._asdict())
        assert found["against_float32"] == pytest.approx(expected.against_float32._asdict())
    assert [row["name"] for row in told["codecs"] if row["in_bundle"]] == ["float32"]


def test_people_get_three_tables_and_the_guarantee(cli: Cli, certified: Path, told: dict[str, Any]) -> None:
    outcome = cli("evaluate", certified, "--codecs", "int8,int4-range")
    lines = outcome.out.splitlines()
    assert lines[0] == f"digits on the test split of digits, {told['n']} samples"
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    system = told["system_accuracy"]
    assert rows["system"][1] == f"{100 * system['value']:.2f}"
    assert rows["system"][2] == f"({100 * system['low']:.2f}..{100 * system['high']:.2f})"
    assert rows["accuracy-drop"][-1] == "10"  # certified at most
    assert len(rows["exited-error"]) == len(rows["disagreement"]) == 3  # nothing certified
    assert list(rows)[list(rows).index("codec") + 2 :][:3] == ["float32*", "int8", "int4-range"]
    assert len(rows["float32*"]) + 2 == len(rows["int8"])  # nothing against itself
    assert lines[-1] == told["certified"]["guarantee"]


def test_a_threshold_without_a_certificate_is_told_of(cli: Cli, bundle: Path) -> None:
    outcome = cli("evaluate", bundle, "--codecs", "none")
    assert outcome.out.splitlines()[-1] == "No threshold is certified; offramp calibrate does that."
    assert json.loads(cli("evaluate", bundle, "--codecs", "none", "--json").out)["certified"] is None


def test_evidence_of_any_kind_is_no_certificate(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    network = read(bundle)
    for evidence in ({"measure": ["harm"], "risk": 0.1}, {"measure": "accuracy-drop", "risk": "none"}):
        rule = replace(network.exit_rule, evidence=evidence)
        write(replace(network, exit_rule=rule), tmp_path / "odd", overwrite=(tmp_path / "odd").exists())
        outcome = cli("evaluate", tmp_path / "odd", "--codecs", "none")
        assert outcome.out.splitlines()[-1] == "No threshold is certified; offramp calibrate does that."


def test_a_certificate_for_another_codec_is_told_of(cli: Cli, certified: Path, tmp_path: Path) -> None:
    write(replace(read(certified), codec=FloatCodec("float16")), tmp_path / "other")
    outcome = cli("evaluate", tmp_path / "other", "--codecs", "none")
    assert outcome.out.splitlines()[-1].startswith("The threshold was certified with another codec; offramp")


def test_other_splits_and_other_data_can_be_judged(cli: Cli, certified: Path, tmp_path: Path) -> None:
    digits = load("digits", seed=0)
    n = len(digits.splits["validation"])
    asked = ("--codecs", "none", "--json")
    told = json.loads(cli("evaluate", certified, "--split", "validation", *asked).out)
    assert (told["n"], told["data"]) == (n, f"the validation split of digits, {n} samples")
    x, y = digits.split("test")
    np.savez(tmp_path / "new.npz", x=x, y=y.astype(str))
    told = json.loads(cli("evaluate", certified, "--data", tmp_path / "new.npz", *asked).out)
    assert told["data"] == f"all {len(x)} samples of new"
    assert [row["name"] for row in told["codecs"]] == ["float32"]


def test_a_wrong_codec_is_told_before_any_data_are_read(cli: Cli, certified: Path) -> None:
    outcome = cli("evaluate", certified, "--codecs", "zip", "--data", "nowhere.npz")
    assert "unknown codec 'zip'; use one of float32" in outcome.error


def test_where_the_training_data_are_elsewhere_other_codecs_are_left_out(cli: Cli, tmp_path: Path) -> None:
    x, y = load("digits", seed=0).split("train")
    np.savez(tmp_path / "mine.npz", x=x[:400], y=y[:400].astype(str))
    np.savez(tmp_path / "new.npz", x=x[400:600], y=y[400:600].astype(str))
    trained = ("--data", tmp_path / "mine.npz", "--neurons", "auto,8,auto", "--epochs", 2)
    assert cli("train", *trained, "-o", tmp_path / "m").status == 0
    outcome = cli("evaluate", tmp_path / "m", "--data", tmp_path / "new.npz", "--json")
    assert (outcome.status, [row["name"] for row in json.loads(outcome.out)["codecs"]]) == (0, ["float32"])
    assert outcome.err.startswith("other codecs are left out: codecs are fitted to the samples that")
    asked = cli("evaluate", tmp_path / "m", "--data", tmp_path / "new.npz", "--codecs", "all")
    assert "those of 'mine' are not at hand; give their file with --data" in asked.error


def test_the_page_shows_every_codec(cli: Cli, certified: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    outcome = cli("evaluate", certified, "--html", page)
    text = page.read_text("utf-8")
    assert outcome.out.splitlines()[-1] == f"pictures in {page}"
    assert text.count("<svg") == 3
    assert all(f"<td>{name}</td>" in text for name in CODECS if name != "float32")
    assert "<td>float32*</td>" in text
    assert "<code>offramp evaluate certified</code>" in text
    assert "://" not in text.replace("http://www.w3.org", "")


def test_nothing_is_written_to_the_bundle(cli: Cli, certified: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(certified, tmp_path / "own"))
    for file in own.iterdir():
        file.chmod(0o400)
    assert cli("evaluate", own, "--codecs", "none").status == 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--split", "exam"), "unknown split 'exam'; use one of train, validation, calibration, test"),
        (("--codecs", "zip"), "unknown codec 'zip'; use one of float32"),
        (("--data", "nowhere.npz"), "nowhere.npz: no such file"),
    ],
    ids=["split", "codec", "data"],
)
def test_settings_that_cannot_be_are_one_line(
    cli: Cli, certified: Path, option: tuple[str, str], message: str
) -> None:
    assert message in cli("evaluate", certified, *option).error
