"""offramp calibrate."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.bundle import Bundle, read, write
from offramp.data import load
from offramp.plan.judgement import calibrated, verdicts_of

Cli = Callable[..., Any]
ENOUGH = ("--risk", 0.1)  # for the 141 samples that digits certify on


@pytest.fixture
def own(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that may be written to."""
    return Path(shutil.copytree(bundle, tmp_path / "own"))


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def expected(network: Bundle, **asked: Any) -> Any:
    return calibrated(network, *load("digits", seed=0).split("calibration"), **asked)


def test_the_bundle_gets_what_was_certified(cli: Cli, own: Path) -> None:
    before = read(own)
    outcome = cli("calibrate", own, *ENOUGH)
    assert (outcome.status, outcome.err) == (0, "")
    found = expected(before, risk=0.1)
    assert read(own) == found.bundle
    assert read(own).exit_rule.evidence["guarantee"] == found.certificate.guarantee


def test_people_are_told_what_is_certified_in_words(cli: Cli, own: Path) -> None:
    found = expected(read(own), risk=0.1)
    certificate = found.certificate
    lines = cli("calibrate", own, *ENOUGH).out.splitlines()
    before, after = found.before["exit"].ece, found.after["exit"].ece
    assert lines == [
        "certified on 141 of the calibration split of digits, 176 samples; 35 others fitted temperatures",
        certificate.guarantee,
        f"threshold {certificate.threshold:.4g}: {certificate.exit_rate:.1%} of these samples exit,"
        f" {certificate.edge_exit_rate:.1%} on the device",
        lines[3],
        f"exit: temperature {found.bundle.exit_rule.temperature:.3g}; expected calibration error"
        f" {100 * before:.2f} points before, {100 * after:.2f} after",
        f"written to {own}; next: offramp evaluate {own}",
    ]
    assert lines[3].startswith(f"risk on these samples {certificate.empirical_risk:.2%} (")
    assert lines[3].endswith(f"{certificate.upper_bound:.2%} at most for this threshold alone")


def test_every_setting_reaches_the_certificate(cli: Cli, own: Path) -> None:
    asked = {"risk": 0.3, "confidence": 0.8, "measure": "exited-error", "method": "ltt-holm"}
    more = {"bound": "hoeffding-bentkus", "criterion": "margin", "seed": 3}
    before = read(own)
    options = [part for name, value in (asked | more).items() for part in (f"--{name}", value)]
    assert cli("calibrate", own, *options).status == 0
    assert read(own) == expected(before, **asked, **more).bundle


def test_scripts_get_json(cli: Cli, own: Path) -> None:
    outcome = cli("calibrate", own, *ENOUGH, "--json")
    told = json.loads(outcome.out)
    rule = read(own).exit_rule
    assert told["bundle"] == str(own)
    assert told["threshold"] == rule.threshold
    assert told["data"] == "the calibration split of digits, 176 samples"
    for key in ("method", "measure", "bound", "risk", "confidence", "n", "guarantee", "data_digest", "codec"):
        assert told[key] == rule.evidence[key]
    assert told["exits"]["exit"] == {
        "temperature": rule.temperature,
        "criterion": "max_softmax",
        "ece_before": rule.evidence["ece_before"],
        "ece_after": rule.evidence["ece_after"],
    }


def test_another_place_leaves_the_bundle_as_it_was(cli: Cli, own: Path, tmp_path: Path) -> None:
    before, place = content(own), tmp_path / "safe"
    assert cli("calibrate", own, *ENOUGH, "-o", place).status == 0
    assert content(own) == before
    assert read(place).exit_rule.evidence["risk"] == 0.1
    refused = cli("calibrate", own, *ENOUGH, "-o", place)
    assert "exists already; give another path, or --overwrite to replace a bundle" in refused.error
    assert cli("calibrate", own, "--risk", 0.2, "-o", place, "--overwrite").status == 0
    assert read(place).exit_rule.evidence["risk"] == 0.2


def test_too_few_samples_are_refused_and_nothing_is_written(cli: Cli, own: Path, tmp_path: Path) -> None:
    before, page = content(own), tmp_path / "page.html"
    outcome = cli("calibrate", own, "--html", page)
    assert outcome.status == 1
    assert "141 samples are too few to certify accuracy-drop of at most 0.01" in outcome.error
    assert "even an exit without a fault takes " in outcome.error
    assert content(own) == before
    assert not page.exists()


def test_a_risk_that_cannot_be_kept_leaves_all_to_the_tail_and_says_so(
    cli: Cli, own: Path, tmp_path: Path
) -> None:
    x, y = load("digits", seed=0).split("test")
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, x=x, y=((y + 1) % 10).astype(str))
    outcome = cli("calibrate", own, "--measure", "exited-error", *ENOUGH, "--data", wrong)
    lines = outcome.out.splitlines()
    assert "No threshold could be certified, so no exit answers and the tail answers everything." in lines
    assert "allow more --risk or less --confidence, or give more samples with --data" in lines
    network = read(own)
    assert verdicts_of(network, expected(network, risk=0.1).certifying).exited.sum() == 0


def test_a_recipe_that_saw_the_calibration_split_is_refused(cli: Cli, own: Path) -> None:
    network = read(own)
    record = network.training | {"recipe": {"name": "paper", "train_on_everything": True}}
    write(replace(network, training=record), own, overwrite=True)
    assert "was trained on the calibration split too, recipe paper" in cli("calibrate", own, *ENOUGH).error


def test_a_device_without_the_tail_is_told_what_to_copy(cli: Cli, own: Path) -> None:
    (own / "tail.safetensors").unlink()
    assert "tail.safetensors: No such file or directory; give the folder" in cli("calibrate", own).error


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--risk", 2), "risk=2.0; use a share between 0 and 1"),
        (("--confidence", "nan"), "confidence=nan; use a share between 0 and 1"),
        (
            ("--measure", "harm"),
            "unknown measure 'harm'; use one of accuracy-drop, exited-error",
        ),
        (("--method", "luck"), "unknown method 'luck'; use one of ltt"),
        (("--bound", "none"), "unknown bound 'none'; use one of"),
        (("--criterion", "mood"), "unknown exit criterion 'mood'; use one of max_softmax"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_settings_that_cannot_be_are_one_line(
    cli: Cli, own: Path, option: tuple[str, object], message: str
) -> None:
    before = content(own)
    assert message in cli("calibrate", own, *option).error
    assert (
        message in cli("calibrate", own, *option, "--data", "nowhere.npz").error
    )  # before any data are read
    assert content(own) == before


def test_unlabelled_samples_certify_disagreement(cli: Cli, own: Path, tmp_path: Path) -> None:
    x = load("digits", seed=0).split("test")[0]
    np.savez(tmp_path / "new.npz", x=x)
    page = tmp_path / "page.html"
    asked = ("--measure", "disagreement", "--data", tmp_path / "new.npz", "--html", page)
    outcome = cli("calibrate", own, *ENOUGH, *asked)
    assert outcome.status == 0
    rule = read(own).exit_rule
    assert rule.evidence["fitted_to"] == "the tail's answers"
    assert rule.evidence["n"] + rule.evidence["n_fitted"] == len(x)
    assert "Accuracy and exit rate" not in page.read_text("utf-8")  # nobody knows who is right


@pytest.mark.parametrize("more", [(), ("--measure", "exited-error"), ("--method", "crc")], ids=str)
def test_the_page_shows_what_is_certified(cli: Cli, own: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    page = tmp_path / "page.html"
    outcome = cli("calibrate", own, "--risk", 0.2, *more, "--html", page)
    text = page.read_text("utf-8")
    assert outcome.out.splitlines()[-1] == f"pictures in {page}"
    assert text.count("<svg") == 3
    assert str(read(own).exit_rule.evidence["guarantee"]) in text
    for heading in ("Risk against exit rate", "Accuracy and exit rate against the threshold", "believed?"):
        assert heading in text
    assert "://" not in text.replace("http://www.w3.org", "")
    assert str(tmp_path) not in text


def test_a_page_that_cannot_be_written_is_told_before_anything_is_done(cli: Cli, own: Path) -> None:
    before = content(own)
    assert "is a folder; give a file" in cli("calibrate", own, *ENOUGH, "--html", own).error
    assert content(own) == before
