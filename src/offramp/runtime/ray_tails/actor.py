"""What runs inside Ray: a bundle's models in a process of their own, on whatever machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from offramp import bundle as bundles
from offramp.bundle import Bundle
from offramp.runtime.models import models_of
from offramp.runtime.network import FloatArray
from offramp.runtime.ray_tails.cluster import unpinned


def files_of(bundle: Bundle) -> dict[str, bytes]:
    """The files of a bundle by name: versioned and sealed, so what crosses between machines."""
    with tempfile.TemporaryDirectory(prefix="offramp-") as made:
        folder = Path(made) / "bundle"
        bundles.write(bundle, folder)
        return {file.name: file.read_bytes() for file in folder.iterdir()}


def digests_of(bundle: Bundle) -> dict[str, str]:
    """The digest of each part that is here, by its name."""
    return {name: part.digest for name, part in bundle.parts.items()}


class TailActor:
    """Answers for the models of a bundle.

    Args:
        stored: where Ray has the files of the bundle, see `pinned` and `files_of`. They are read as any
            bundle is, so nothing in them is trusted.
        threads: for the kernels.
    """

    def __init__(self, stored: bytes, threads: int) -> None:
        files: dict[str, bytes] = unpinned(stored)
        with tempfile.TemporaryDirectory(prefix="offramp-") as folder:
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            bundle = bundles.read(folder)
        self._computes = {model.name: model.compute for model in models_of(bundle, threads=threads)}
        self._digests = digests_of(bundle)

    def loaded(self) -> dict[str, str]:
        """The digests of the parts that it computes with."""
        return self._digests

    def compute(self, model: str, rows: FloatArray) -> Any:
        """The scores (n, n_classes) of rows (n, ...), by one of the models."""
        return np.asarray(self._computes[model](rows))
