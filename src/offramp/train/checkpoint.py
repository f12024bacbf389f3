"""A run on disk: one safetensors file, which holds tensors and, in its header, their story as JSON.

One file, because one rename is atomic and two are not. No pickle.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from offramp.errors import ConfigError, DataError

_FORMAT = "offramp checkpoint 1"
_NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a run.

    Args:
        identity: what the run is (model, recipe, data, seed ...), JSON values; only the same run may go on.
        progress: where it is, JSON values.
        tensors: weights, optimizer state, random state.
    """

    identity: Mapping[str, Any]
    progress: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the folder's checkpoint; a crash at any moment leaves the old one or the new one.

    Raises:
        DataError: it cannot be written.
    """
    story = json.dumps({"identity": checkpoint.identity, "progress": checkpoint.progress}, allow_nan=False)
    tensors = {name: tensor.detach().clone() for name, tensor in checkpoint.tensors.items()}
    metadata = {"format": _FORMAT, "story": story, "sha256": digest(story, tensors)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / _NAME, to_bytes(tensors, metadata))
    except OSError as error:
        raise DataError(
            f"checkpoint {folder / _NAME} cannot be written: {error}; make room, or use another folder"
        ) from error


def load(folder: Path, identity: Mapping[str, Any]) -> Checkpoint | None:
    """The folder's checkpoint, or None where there is none yet.

    Raises:
        ConfigError: it belongs to a run with another identity.
        DataError: it is damaged, or no checkpoint of ours.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {_FORMAT!r}")
        if metadata.get("sha256") != digest(metadata["story"], tensors):
            raise ValueError("its content does not match its sha256")
        story = json.loads(metadata["story"])
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise DataError(
            f"checkpoint {path} cannot be read: {error}; delete it to start afresh, or restore a copy"
        ) from error
    _check_identity(path, story["identity"], json.loads(json.dumps(identity)))
    return Checkpoint(story["identity"], story["progress"], tensors)


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)  # the rename itself must reach the disk too
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_identity(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    for name in [*ours, *theirs]:
        if theirs.get(name) != ours.get(name):
            raise ConfigError(
                f"checkpoint {path} is of a run with {name}={theirs.get(name)}, this run has "
                f"{name}={ours.get(name)}; use another folder, or delete the checkpoint to start afresh"
            )


def digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """The sha256, in hex, of a text and of named tensors."""
    sha = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
