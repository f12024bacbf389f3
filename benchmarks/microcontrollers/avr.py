"""A head with its exit on an ATmega328P, which has 2 KB of RAM: images come row by row."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.microcontrollers import emlearn, onnx2c, ours
from benchmarks.microcontrollers.contender import SUPPORT, Sources, built
from benchmarks.microcontrollers.dense import Dense, int8_layers
from offramp.data import Dataset
from offramp.errors import TooLargeError
from offramp.export.c import chosen_program, header, source
from offramp.targets import TARGETS, build, check_fits_chip, sizes
from offramp.train import Trained

TARGET = TARGETS["atmega328p"]
ROWS = 28  # of an image; each is counted on its own


def rows(
    sparse: Sequence[Trained],
    dense: Trained,
    peers: Path,
    dataset: Dataset,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
) -> dict[str, Any]:
    """Each sparse training's program on the test images, and why the dense network has none by the peers."""
    return {
        "rows": [_row(one, dataset, images, labels) for one in sparse],
        "dense": _dense(dense, dataset, peers),
    }


def _row(
    trained: Trained, dataset: Dataset, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> dict[str, Any]:
    calibration, _ = dataset.split("calibration")
    bundle = ours.bundle(trained.model, trained.job.preprocessing, calibration)
    written = chosen_program(bundle, "int8", target=TARGET.name, streaming=True)
    with tempfile.TemporaryDirectory(prefix="offramp-") as name:
        folder = Path(name)
        (folder / "sparse.c").write_text(source(written), encoding="utf-8")
        (folder / "sparse.h").write_text(header(written), encoding="utf-8")
        program = build(TARGET, [SUPPORT / "avr.c", folder / "sparse.c"], include=[folder], optimise="-Os")
        run = program.run(np.ascontiguousarray(images).tobytes(), timeout_s=3600)
    taken = sizes(program)
    check_fits_chip(taken, TARGET, stack_bytes=run.stack_bytes or 0)
    cycles = np.array(run.intervals[1:]).reshape(len(images), ROWS).sum(axis=1)
    classes = np.frombuffer(run.output, np.uint8)
    return {
        "flash_bytes": taken.flash_bytes,
        "ram_bytes": taken.ram_bytes + (run.stack_bytes or 0),
        "cycles": float(cycles.mean()),
        "most_cycles": int(cycles.max()),
        "accuracy": float((classes == labels).mean()),
        "differ": int((classes != ours.classes(bundle, images)).sum()),
    }


def _dense(trained: Trained, dataset: Dataset, peers: Path) -> dict[str, str]:
    """What the chip has to say of the peers' programs; without PROGMEM, their tables are in RAM."""
    network = Dense.of(trained.model, pool=trained.job.preprocessing.pool)
    layers = int8_layers(network, dataset.split("calibration")[0])
    with tempfile.TemporaryDirectory(prefix="offramp-") as name:
        folders = [Path(name) / kind for kind in ("onnx2c", "emlearn")]
        for folder in folders:
            folder.mkdir()
        ways = {
            "onnx2c int8": onnx2c.write_int8(network, layers, folders[0], peers),
            "emlearn float32": emlearn.write(network, folders[1], peers),
        }
        return {way: _refusal(sources) for way, sources in ways.items()}


def _refusal(sources: Sources) -> str:
    try:
        check_fits_chip(sizes(built(TARGET, sources, "-Os")), TARGET)
    except TooLargeError as error:
        return str(error)
    return "it fits"
