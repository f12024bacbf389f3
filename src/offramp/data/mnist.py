"""MNIST: 70,000 handwritten digits, 28 x 28, from a folder or from public mirrors."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from offramp.data.dataset import Dataset
from offramp.data.extra import load_extra
from offramp.data.idx import read_idx
from offramp.data.splits import with_given_test
from offramp.errors import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# File -> SHA-256 of the gzipped file as all mirrors have it, MD5 of its content.
FILES = {
    "train-images-idx3-ubyte": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    "train-labels-idx1-ubyte": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "a25bea736e30d166cdddb491f175f624",
    ),
    "t10k-images-idx3-ubyte": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "2646ac647ad5339dbf082846283269ea",
    ),
    "t10k-labels-idx1-ubyte": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "27ae3e4e09519cfbb04c329615203637",
    ),
}
N_CLASSES = 10


def load_mnist(data_dir: Path | None, *, seed: int) -> Dataset:
    """The data set `mnist`: x (70000, 28, 28) uint8, the last 10,000 are the test split.

    Args:
        data_dir: the folder with the four files, or the one above; None downloads them into the user's cache.
        seed: of the division of the 60,000 others.
    """
    paths = _download() if data_dir is None else _find(data_dir)
    images, labels = [], []
    for kind in ("train", "t10k"):
        x = read_idx(paths[f"{kind}-images-idx3-ubyte"], n_dimensions=3)
        y = read_idx(paths[f"{kind}-labels-idx1-ubyte"], n_dimensions=1)
        if len(x) != len(y):
            raise DataError(
                f"mnist: {len(x)} {kind} images and {len(y)} labels; take both files from one place"
            )
        if y.max() >= N_CLASSES:
            raise DataError(f"mnist: {kind} label {y.max()}; labels are 0..{N_CLASSES - 1}")
        images.append(x)
        labels.append(y)
    if images[0].shape[1:] != images[1].shape[1:]:
        raise DataError(
            f"mnist: training images are {images[0].shape[1:]}, test images {images[1].shape[1:]};"
            " they must agree"
        )
    splits = with_given_test(len(labels[0]), len(labels[1]), seed=seed)
    classes = tuple(str(k) for k in range(N_CLASSES))
    return Dataset("mnist", np.concatenate(images), np.concatenate(labels).astype(np.int64), classes, splits)


def _find(data_dir: Path) -> dict[str, Path]:
    """The four files, whose names have a dash or a dot before "idx" and may end in .gz."""
    if not data_dir.is_dir():
        raise DataError(
            f"{data_dir}: no such folder; give the one with the MNIST files, or none to download them"
        )
    found = {folder: _files(folder) for folder in (data_dir, *sorted(data_dir.glob("*/")))}
    complete = [folder for folder, files in found.items() if len(files) == len(FILES)]
    if data_dir in complete:
        complete = [data_dir]
    if len(complete) > 1:  # other data sets come in files of the same names
        complete = [folder for folder in complete if folder.name.lower() == "mnist"] or complete
    if len(complete) > 1:
        folders = " and in ".join(folder.name for folder in complete)
        raise DataError(f"{data_dir}: the four files are in {folders}; give one of these folders")
    if complete:
        return found[complete[0]]
    nearest = max(found.values(), key=len)
    missing = ", ".join(f"{file}[.gz]" for file in FILES if file not in nearest)
    raise DataError(
        f"{data_dir}: neither here nor in a folder in it: {missing}; put the four MNIST files there"
    )


def _files(folder: Path) -> dict[str, Path]:
    return {file: path for file in FILES if (path := _variant(folder, file)) is not None}


def _variant(folder: Path, file: str) -> Path | None:
    dotted = file.replace("-idx", ".idx")
    paths = (folder / name for name in (file, f"{file}.gz", dotted, f"{dotted}.gz"))
    return next((path for path in paths if os.path.isfile(path)), None)  # False where we may not look


def _download() -> dict[str, Path]:
    """The four files in the user's cache, fetched where they are not there yet."""
    pooch = load_extra("pooch", purpose="downloading MNIST")
    pooch.get_logger().setLevel(logging.WARNING)  # its news is the progress bar's
    folder = Path(pooch.os_cache("offramp")) / "mnist"
    return {file: _fetch(pooch, folder, file) for file in FILES}


def _fetch(pooch: Any, folder: Path, file: str) -> Path:
    sha256, md5 = FILES[file]
    failures = []
    for mirror in MIRRORS:
        with _Bar(file) as bar:
            downloader = pooch.HTTPDownloader(progressbar=bar, timeout=30)
            try:
                path = Path(
                    pooch.retrieve(
                        f"{mirror}{file}.gz",
                        known_hash=f"sha256:{sha256}",
                        fname=f"{file}.gz",
                        path=folder,
                        downloader=downloader,
                    )
                )
            except (OSError, ValueError) as error:  # no answer or a bad one; not the hash we know
                failures.append(f"{mirror}: {type(error).__name__}")
                continue
        content_md5 = hashlib.md5(gzip.decompress(path.read_bytes()), usedforsecurity=False).hexdigest()
        if content_md5 != md5:
            raise DataError(
                f"{path}: content has MD5 {content_md5}, not {md5}; delete the file and try again"
            )
        return path
    raise DataError(
        f"{file}.gz could not be downloaded ({'; '.join(failures)}); go online, or set"
        " OFFRAMP_DATA_DIR or --data-dir to a folder with the four MNIST files"
    )


class _Bar:
    """A progress bar with the four members that pooch asks of one."""

    def __init__(self, file: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(file, total=None)
        self.total = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, n_bytes: int) -> None:
        self._progress.start()  # not before: a file that is in the cache needs no bar
        self._progress.update(self._task, total=self.total or None, advance=n_bytes)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        if self._progress.live.is_started:  # or stopping it would print an empty line
            self._progress.stop()
