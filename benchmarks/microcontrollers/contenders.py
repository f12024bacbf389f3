"""Everything that stands beside each other for one seed: its C, and the classes that it must find."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.microcontrollers import cmsis_nn, emlearn, onnx2c, ours
from benchmarks.microcontrollers.contender import Sources
from benchmarks.microcontrollers.dense import Dense, int8_classes, int8_layers, pooled
from offramp.data import Dataset
from offramp.train import Trained

OURS = "offramp"
CMSIS_NN, ONNX2C, ONNX2C_FLOAT32, EMLEARN = "CMSIS-NN", "onnx2c int8", "onnx2c float32", "emlearn float32"
IN_FLOATS = (ONNX2C_FLOAT32, EMLEARN)  # sums of another order may find another class

Contender = tuple[str, dict[str, Sources], npt.NDArray[np.int64]]


def contenders(
    sparse: Trained,
    dense: Trained,
    dataset: Dataset,
    images: npt.NDArray[np.uint8],
    peers: Path,
    folder: Path,
    targets: Sequence[str],
) -> Iterator[Contender]:
    """Name, the forms of its C, and the classes of the images by its arithmetic in NumPy."""
    calibration, _ = dataset.split("calibration")
    bundle = ours.bundle(sparse.model, sparse.job.preprocessing, calibration)
    forms = {
        form: ours.write(written, _made(folder, f"ours_{number}"), target=target)
        for number, (form, (target, written)) in enumerate(ours.exported(bundle, targets).items())
    }
    yield OURS, forms, ours.classes(bundle, images)

    pool = dense.job.preprocessing.pool
    network, inputs = Dense.of(dense.model, pool=pool), pooled(images, pool)
    layers = int8_layers(network, calibration)
    source = cmsis_nn.write(network, layers, _made(folder, "cmsis_nn"), peers)
    yield CMSIS_NN, {"": source}, int8_classes(layers, inputs)
    source = onnx2c.write_int8(network, layers, _made(folder, "onnx2c"), peers)
    yield ONNX2C, {"": source}, onnx2c.int8_classes(layers, inputs)

    classes = network.scores(inputs.astype(np.float32) * np.float32(1 / 255))[-1].argmax(axis=1)
    source = onnx2c.write_float32(network, _made(folder, "onnx2c_float32"), peers)
    yield ONNX2C_FLOAT32, {"": source}, classes
    yield EMLEARN, {"": emlearn.write(network, _made(folder, "emlearn"), peers)}, classes


def _made(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name
