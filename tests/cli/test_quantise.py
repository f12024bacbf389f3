"""offramp quantise, and the commands that then compute with integers."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.bundle import read, write
from offramp.data import load
from offramp.int8 import IntegerDevice
from offramp.plan.judgement import Goal, evaluated, quantised

Cli = Callable[..., Any]


@pytest.fixture
def own(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that may be written to."""
    return Path(shutil.copytree(bundle, tmp_path / "own"))


@pytest.fixture(scope="module")
def ready(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, quantised; tests only read it."""
    folder = tmp_path_factory.mktemp("quantised") / "digits8"
    write(quantised(read(bundle), *load("digits", seed=0).split("calibration")).bundle, folder)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_bundle_gets_a_quantisation_and_keeps_its_parts(cli: Cli, own: Path) -> None:
    before, files = read(own), content(own)
    assert cli("quantise", own).status == 0
    after = read(own)
    wanted = quantised(before, *load("digits", seed=0).split("calibration")).bundle
    assert after == wanted
    assert replace(after, quantisation=None) == before
    assert {name for name, data in content(own).items() if data != files[name]} == {"manifest.json"}


def test_people_are_told_what_integers_cost(cli: Cli, own: Path) -> None:
    lines = cli("quantise", own).out.splitlines()
    device = IntegerDevice(read(own))
    floats, integers = (
        evaluated(one, *load("digits", seed=0).split("validation"), int8=int8)
        for one, int8 in ((device.bundle, False), (device.as_bundle, True))
    )
    theirs, ours = floats.exits[0].accuracy.value, integers.exits[0].accuracy.value
    assert lines[0] == (
        "grids fitted to the calibration split of digits, 176 samples; judged on the validation split of"
        " digits, 176 samples"
    )
    shown = [line.split() for line in lines]
    wanted = [f"{100 * theirs:.2f}", f"{100 * ours:.2f}", f"{100 * (ours - theirs):+.2f}"]
    assert ["exit", "right", "if", "asked", *wanted] in shown
    (largest,) = device.largest_sums["exit"]
    assert ["exit", "1", f"{largest:,}", str(largest.bit_length() + 1)] in shown
    assert lines[-3] == (
        "the threshold is the best on the calibration split of digits, 176 samples, as that of the float32"
        " exit; nothing is guaranteed on others, give --risk to certify one"
    )
    assert lines[-1] == f"written to {own}; next: offramp export c {own}"


def test_a_risk_is_certified_for_the_integer_exit(cli: Cli, own: Path, tmp_path: Path) -> None:
    before, place = content(own), tmp_path / "safe"
    told = json.loads(cli("quantise", own, "--risk", 0.1, "--criterion", "margin", "-o", place, "--json").out)
    assert content(own) == before
    rule = IntegerDevice(read(place)).rule
    assert told["rule"]["evidence"] == rule.rule.evidence
    assert told["rule"]["evidence"]["risk"] == 0.1
    assert told["rule"]["evidence"]["bound"] == "binomial"
    assert (told["rule"]["criterion"], told["rule"]["level"]) == ("margin", rule.threshold_level)
    assert told["largest_sums"] == IntegerDevice(read(place)).largest_sums
    refused = cli("quantise", own, "--risk", 0.1, "-o", place)
    assert "exists already; give another path, or --overwrite to replace a bundle" in refused.error
    assert cli("quantise", own, "-o", place, "--overwrite").status == 0


def test_a_certified_bundle_is_certified_anew(cli: Cli, own: Path) -> None:
    assert cli("calibrate", own, "--risk", 0.2, "--measure", "exited-error").status == 0
    lines = cli("quantise", own).out.splitlines()
    network = read(own)
    assert network.quantisation is not None
    assert Goal.of(network.quantisation.rule) == Goal.of(network.exit_rule)
    assert lines[-3] == network.quantisation.rule.evidence["guarantee"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--risk", 2), "risk=2.0; use a share between 0 and 1"),
        (("--measure", "harm"), "unknown measure 'harm'; use one of accuracy-drop, exited-error"),
        (("--criterion", "mood"), "unknown exit criterion 'mood'; use one of max_softmax"),
        (("--data", "nowhere.npz"), "nowhere.npz"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_settings_that_cannot_be_are_one_line(
    cli: Cli, own: Path, option: tuple[str, object], message: str
) -> None:
    before = content(own)
    assert message in cli("quantise", own, *option).error
    assert content(own) == before


def test_run_answers_as_the_integer_device(cli: Cli, ready: Path, tail: str) -> None:
    outcome = cli("run", ready, "--int8", "--tail", tail, "--data", "digits", "--limit", 60)
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    device, (raw, _) = IntegerDevice(read(ready)), load("digits", seed=0).split("test")
    scores = device.trace(raw[:60]).scores
    sure = device.rule.sure(scores)
    assert [answer["source"] for answer in answers] == ["exit" if one else "tail" for one in sure]
    confidence = device.rule.confidence(scores)
    for answer, number in ((answer, i) for i, answer in enumerate(answers) if sure[i]):
        assert answer["confidence"] == confidence[number]


def test_run_and_evaluate_want_a_quantised_bundle(cli: Cli, own: Path) -> None:
    for command in (("run", own, "--mode", "local", "--data", "digits"), ("evaluate", own)):
        assert "is not quantised; run: offramp quantise, with its folder" in cli(*command, "--int8").error


def test_evaluate_judges_the_integer_device(cli: Cli, ready: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    told = json.loads(cli("evaluate", ready, "--int8", "--json").out)
    wanted = evaluated(IntegerDevice(read(ready)).as_bundle, *load("digits", seed=0).split("test"), int8=True)
    assert (told["int8"], told["codecs"]) == (True, [])
    assert told["exits"][0]["accuracy"] == wanted.exits[0].accuracy._asdict()
    assert told["exit_rate"] == wanted.exit_rate._asdict()
    lines = cli("evaluate", ready, "--int8", "--html", page).out.splitlines()
    assert lines[0] == "digits, int8, on the test split of digits, 355 samples"
    assert "No threshold is certified; offramp quantise --risk does that." in lines
    assert "offramp evaluate digits8 --int8" in page.read_text("utf-8")
    refused = cli("evaluate", ready, "--int8", "--codecs", "int8").error
    assert refused.startswith("--codecs compares features that a codec rounds; those of --int8 are rounded")


def test_fine_tuning_is_told_with_what_it_gains(cli: Cli, own: Path) -> None:
    before = read(own)
    lines = cli("quantise", own, "--fine-tune").out.splitlines()
    after = read(own)
    assert after.head_digest != before.head_digest
    assert after.quantisation is not None
    (told,) = (line for line in lines if line.startswith("integers cost"))
    assert told.endswith(
        "against float32 before; all parts are new, so device and server both need this bundle"
    )
    summary = json.loads(cli("quantise", own, "--json", "--no-fine-tune").out)
    assert summary["fine_tuned"] is False
    assert summary["integers"] == summary["without_fine_tuning"]["integers"]


def test_what_costs_too_much_is_fine_tuned_and_left_out_where_that_is_no_better(
    cli: Cli, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.cli.quantisation.BEARABLE", -1)
    monkeypatch.setattr("offramp.cli.quantisation._BY_CHANCE", -1000)
    before = read(own)
    monkeypatch.setattr("offramp.system.quantising.finetuned", lambda network, *_, **__: network)
    lines = cli("quantise", own).out.splitlines()
    assert read(own).head_digest == before.head_digest
    assert any(line.endswith("against float32 before; so nothing is fine-tuned") for line in lines)


def test_without_torch_or_training_data_it_says_what_is_in_the_way(
    cli: Cli, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.cli.quantisation.BEARABLE", -1)
    monkeypatch.setattr("offramp.cli.quantisation._BY_CHANCE", -1000)
    monkeypatch.setattr("offramp.cli.quantise.find_spec", lambda name: None)
    out = cli("quantise", own).out
    assert "points of exit or tail; fine-tuning may help, but it takes pip install 'offramp[train]'" in out
    x, y = load("digits", seed=0).split("test")
    np.savez(tmp_path / "new.npz", x=x, y=y.astype(str))
    out = cli("quantise", own, "--data", tmp_path / "new.npz").out
    assert "fine-tuning may help, but the samples of the training are not at hand" in out
    refused = cli("quantise", own, "--data", tmp_path / "new.npz", "--fine-tune").error
    assert refused.startswith("--fine-tune takes the samples that bundle 'digits' was trained on; all 355")


def test_plain_quantising_never_needs_torch(python: Callable[[str], Any], own: Path) -> None:
    code = f"import sys; from offramp.cli import main; main(['quantise', {str(own)!r}, '--no-fine-tune'])"
    done = python(f"{code}; assert 'torch' not in sys.modules")
    assert done.status == 0, done.err
