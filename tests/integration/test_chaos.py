"""Promises outlive kills; and the ledger of `make chaos` counts what it should."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.chaos.ledger import Ledger

ROOT = Path(__file__).parents[2]


def heard(*lines: str) -> Ledger:
    ledger = Ledger(labels=[3, 5, 7])
    for line in lines:
        ledger.hear(line)
    return ledger


def test_a_promise_without_an_outcome_is_lost() -> None:
    ledger = heard("up", "promised a-1", "promised b-2", "final c-0", "refined a-1 5")
    assert (ledger.lost, ledger.refined, ledger.n_final) == (1, 1, 1)


def test_a_promise_that_was_given_up_is_lost_too() -> None:
    assert heard("promised a-1", "given-up a-1 5").lost == 1


def test_an_outcome_may_come_again_before_it_was_acknowledged_and_not_after() -> None:
    again = heard("promised a-1", "refined a-1 5", "refined a-1 5", "acknowledged a-1")
    assert (again.handed_again, len(again.duplicated)) == (1, 0)
    again.hear("refined a-1 5")
    assert (again.handed_again, again.duplicated) == (0, {"a-1"})


def test_two_outcomes_that_differ_are_a_duplicate() -> None:
    assert heard("promised a-1", "refined a-1 5", "refined a-1 3").duplicated == {"a-1"}


def test_an_outcome_that_the_tail_did_not_say_is_wrong() -> None:
    assert heard("promised a-1", "refined a-1 5", "promised b-2", "refined b-2 5").wrong == 1


def test_what_no_device_says_is_an_error() -> None:
    with pytest.raises(ValueError, match="a device said 'promised'"):
        heard("promised")


@pytest.mark.slow
def test_a_short_storm_loses_and_doubles_nothing(tmp_path: Path) -> None:
    file = tmp_path / "chaos.json"
    command = [sys.executable, "-m", "benchmarks.chaos", "--kills", "8", "--folder", tmp_path, "--json", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(file.read_text())
    assert told["kills"] >= 8
    assert told["offloaded"] == told["refined"] > 20
    assert (told["lost"], told["duplicated"], told["wrong"]) == (0, 0, 0)
    assert told["local_p99_s"] > 0
    assert 0 < told["provisional_p99_s"] < 1
