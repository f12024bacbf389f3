import gzip
import struct

import numpy as np
import pytest

NAMES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("t10k", "images"): "t10k-images-idx3-ubyte",
    ("t10k", "labels"): "t10k-labels-idx1-ubyte",
}


def idx_bytes(array):
    """A uint8 array as an idx file."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder, *, n_train=36, n_test=6, side=4, zipped=True, dotted=False, **changes):
    """Four small files in MNIST's format; `changes` replace arrays, by "train_images" and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    arrays = {}
    for kind, n in (("train", n_train), ("t10k", n_test)):
        arrays[kind, "images"] = rng.integers(0, 256, (n, side, side), dtype=np.uint8)
        arrays[kind, "labels"] = (np.arange(n) % 10).astype(np.uint8)
    for key, name in NAMES.items():
        data = idx_bytes(changes.get("_".join(key), arrays[key]))
        file = name.replace("-idx", ".idx") if dotted else name
        (folder / f"{file}{'.gz' if zipped else ''}").write_bytes(
            gzip.compress(data, mtime=0) if zipped else data
        )
    return arrays


class DataWorkshop:
    """What the tests of this folder build with."""

    idx_bytes = staticmethod(idx_bytes)
    write_mnist = staticmethod(write_mnist)


@pytest.fixture(scope="session")
def data_workshop():
    return DataWorkshop
