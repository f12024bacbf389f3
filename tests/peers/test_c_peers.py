"""C of others computes on emulated processors what NumPy says, where tools/peers/install_c.py was run."""

import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks.microcontrollers import cmsis_nn, dense, emlearn, onnx2c
from benchmarks.microcontrollers.contender import measured
from benchmarks.microcontrollers.peers import versions

from offramp.targets import TARGETS, missing

FOLDER = os.environ.get("OFFRAMP_PEERS")

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(FOLDER is None, reason="OFFRAMP_PEERS names no folder of tools/peers/install_c.py"),
]


@pytest.fixture(scope="module")
def peers():
    try:
        versions(Path(FOLDER))
    except SystemExit as missing_peer:
        pytest.skip(str(missing_peer))
    return Path(FOLDER)


@pytest.fixture(scope="module", params=(2, 4), ids="means of {0}x{0}".format)
def network(request):
    """A dense network with random weights on means of windows."""
    rng, pool = np.random.default_rng(10 + request.param), request.param
    widths = (784 // pool**2, 7, 13, 10)
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    return dense.Dense(
        pool,
        tuple((2 * rng.standard_normal(shape) / shape[1] ** 0.5).astype(np.float32) for shape in shapes),
        tuple(rng.standard_normal(n).astype(np.float32) / 8 for n in widths[1:]),
    )


@pytest.fixture(scope="module")
def images():
    """Of 4 x 4 pixels alike, so that means differ."""
    coarse = np.random.default_rng(3).integers(0, 256, (50, 7, 7), np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture(params=("cortex-m0", "cortex-m4", "cortex-m55"))
def target(request):
    if reason := missing(TARGETS[request.param]):
        pytest.skip(reason)
    return TARGETS[request.param]


def test_cmsis_nn_finds_the_classes_of_its_integers(peers, network, images, target, tmp_path):
    layers = dense.int8_layers(network, images)
    expected = dense.int8_classes(layers, dense.pooled(images, network.pool))

    builds = measured(target, cmsis_nn.write(network, layers, tmp_path, peers), images)

    assert all((build.classes == expected).all() for build in builds)
    assert len(set(expected)) > 1


def test_onnx2c_finds_the_classes_of_its_integers(peers, network, images, target, tmp_path):
    layers = dense.int8_layers(network, images)
    expected = onnx2c.int8_classes(layers, dense.pooled(images, network.pool))

    builds = measured(target, onnx2c.write_int8(network, layers, tmp_path, peers), images)

    assert all((build.classes == expected).all() for build in builds)


def test_emlearn_and_onnx2c_find_the_classes_of_the_floats(peers, network, images, target, tmp_path):
    x = dense.pooled(images, network.pool).astype(np.float32) * np.float32(1 / 255)
    expected = network.scores(x)[-1].argmax(axis=1)
    for way in ("emlearn", "onnx2c"):
        (tmp_path / way).mkdir()

    sources = (
        emlearn.write(network, tmp_path / "emlearn", peers),
        onnx2c.write_float32(network, tmp_path / "onnx2c", peers),
    )

    assert all(
        (build.classes == expected).all() for one in sources for build in measured(target, one, images)
    )
