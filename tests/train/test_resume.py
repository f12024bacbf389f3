"""Training survives kill -9: it goes on, and ends with the same bits."""

import json
import random
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

_WORKER = Path(__file__).with_name("train_worker.py")


def _finish(folder: Path, step: str) -> None:
    """Run to the end, in this process."""
    runpy.run_path(str(_WORKER))["main"](folder, step)


def _kill_after_new_checkpoint(folder: Path, step: str, delay_s: float) -> bool:
    """Kill a run -9, so long after it first saved; whether it had not ended by then."""
    path = folder / "checkpoint.safetensors"
    before = path.stat().st_mtime_ns if path.exists() else 0
    worker = subprocess.Popen([sys.executable, str(_WORKER), str(folder), step])
    deadline = time.monotonic() + 60
    while not path.exists() or path.stat().st_mtime_ns == before:
        assert worker.poll() is None, "the run ended without saving"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(delay_s)
    worker.kill()
    return worker.wait() == -9


def _moment(folder: Path) -> dict[str, Any]:
    """Where the checkpoint stands, read without our own reader."""
    content = (folder / "checkpoint.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    progress: dict[str, Any] = json.loads(header["__metadata__"]["story"])["progress"]
    return progress


def _trained(folder: Path) -> tuple[bytes, list[Any]]:
    epochs = json.loads((folder / "history.json").read_text())["epochs"]
    return (folder / "final.safetensors").read_bytes(), [{**epoch, "seconds": 0} for epoch in epochs]


@pytest.mark.parametrize(
    ("step", "n_kills"),
    [("fused", 3), pytest.param("autograd", 6, marks=pytest.mark.slow)],
)
def test_a_run_killed_at_arbitrary_moments_ends_with_the_same_bits(
    tmp_path: Path, step: str, n_kills: int
) -> None:
    rng = random.Random(n_kills)
    _finish(tmp_path / "whole", step)
    moments = []
    for _ in range(n_kills):
        if not _kill_after_new_checkpoint(tmp_path / "killed", step, rng.uniform(0, 0.6 / n_kills)):
            break  # a fast machine
        progress = _moment(tmp_path / "killed")
        moments.append((len(progress["epochs"]), progress["batch"]))
    assert moments == sorted(moments)
    assert any(batch for _, batch in moments), "no kill fell inside an epoch"
    _finish(tmp_path / "killed", step)
    assert _trained(tmp_path / "killed") == _trained(tmp_path / "whole")
