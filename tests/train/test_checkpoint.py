"""A checkpoint is whole, old or new, and never silently something else."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offramp.errors import ConfigError, DataError
from offramp.train import checkpoint as checkpoints
from offramp.train.checkpoint import Checkpoint

IDENTITY = {"seed": 1, "recipe.epochs": 3}


def _checkpoint(value: float = 1.5) -> Checkpoint:
    tensors = {
        "model.weight": torch.full((3, 2), value),
        "model.table": torch.arange(4, dtype=torch.int32),
        "adam.0.step": torch.tensor(7.0),
        "empty": torch.zeros(0, 3),
    }
    return Checkpoint(IDENTITY, {"batch": 2, "loss_sum": 0.1 + 0.2}, tensors)


def test_what_was_saved_comes_back_to_the_bit(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "new" / "folder", _checkpoint())
    loaded = checkpoints.load(tmp_path / "new" / "folder", IDENTITY)
    assert loaded is not None
    assert (loaded.identity, loaded.progress) == (_checkpoint().identity, _checkpoint().progress)
    assert loaded.tensors.keys() == _checkpoint().tensors.keys()
    for name, tensor in _checkpoint().tensors.items():
        assert torch.equal(loaded.tensors[name], tensor)
        assert loaded.tensors[name].dtype == tensor.dtype


def test_tensors_that_share_memory_can_be_saved(tmp_path: Path) -> None:
    shared = torch.randn(4)
    checkpoints.save(tmp_path, Checkpoint({}, {}, {"one": shared, "other": shared}))
    assert checkpoints.load(tmp_path, {}) is not None


def test_an_empty_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoints.load(tmp_path, IDENTITY) is None
    assert checkpoints.load(tmp_path / "nowhere", IDENTITY) is None


def test_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, _checkpoint())
    with pytest.raises(
        ConfigError, match=r"is of a run with seed=1, this run has seed=2; use another folder, or"
    ):
        checkpoints.load(tmp_path, {**IDENTITY, "seed": 2})
    with pytest.raises(ConfigError, match=r"run with recipe\.epochs=3, this run has recipe\.epochs=None"):
        checkpoints.load(tmp_path, {"seed": 1})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    checkpoints.save(folder, _checkpoint())
    return folder / "checkpoint.safetensors"


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_anywhere_is_noticed(written: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(written.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / written.name).write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be read: .*; delete it to start afresh, or restore a copy"):
        checkpoints.load(tmp_path, IDENTITY)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_file_is_noticed(written: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = written.read_bytes()
    (tmp_path / written.name).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DataError, match="cannot be read: "):
        checkpoints.load(tmp_path, IDENTITY)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_while_saving_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    checkpoints.save(tmp_path, _checkpoint(1.5))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), crash)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(tmp_path, _checkpoint(2.5))
    loaded = checkpoints.load(tmp_path, IDENTITY)
    assert loaded is not None
    assert torch.all(loaded.tensors["model.weight"] == 1.5)
    checkpoints.save(tmp_path, _checkpoint(2.5))
    assert os.listdir(tmp_path) == ["checkpoint.safetensors"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        DataError, match=r"file/run/checkpoint\.safetensors cannot be written: .*; make room, or use"
    ):
        checkpoints.save(tmp_path / "file" / "run", _checkpoint())
