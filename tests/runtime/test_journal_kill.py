"""What a journal promises, held against `kill -9` at random moments."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from offramp.runtime.journal import Journal

KILLS = Path(__file__).parent / "journal_kills.py"


def lives_of(path, n_kills, seed):
    command = [sys.executable, KILLS, path, str(n_kills), str(seed)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["killed"] == n_kills, told["lives"][-3:]
    return told["lives"]


def check(lives):
    """Each offload that was appended is refined once and arrives, and never after it was acknowledged."""
    said = defaultdict(list)
    for line in (line for life in lives for line in life):
        verb, _, rest = line.partition(" ")
        assert verb != "failed", rest
        said[verb].append(rest)
    assert said["finished"] == [""]
    tried, appended = set(said["tries"]), said["appended"]
    handed = defaultdict(set)
    for id, label in (rest.split() for rest in said["handed"]):
        handed[id].add(label)
    assert len(appended) > len(lives) / 2, "hardly any child came to append"
    assert set(appended) <= set(handed), "lost"
    assert set(handed) <= tried, "never appended"
    assert all(len(labels) == 1 for labels in handed.values()), "two refinements of one offload"
    refined = dict(rest.split() for rest in said["refined"])
    assert len(refined) == len(said["refined"]), "refined twice"
    assert all(handed[id] == {label} for id, label in refined.items())
    check_order(line for life in lives for line in life)


def check_order(lines):
    acknowledged = set()
    for verb, *rest in (line.split() for line in lines):
        assert verb != "handed" or rest[0] not in acknowledged, f"{rest[0]} came after its acknowledgement"
        if verb == "acknowledged":
            acknowledged.add(rest[0])


def test_sixty_kills_lose_nothing_and_hand_nothing_out_after_its_acknowledgement(tmp_path):
    path = tmp_path / "edge.journal"
    check(lives_of(path, 60, seed=1))
    with Journal(path) as journal:
        assert journal.counts()[:3] == (0, 0, 0)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing(tmp_path):
    check(lives_of(tmp_path / "edge.journal", 200, seed=2))
