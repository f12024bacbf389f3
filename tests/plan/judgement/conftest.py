"""A network with every kind of exit, fitted by least squares, and samples it was not fitted to."""

import numpy as np
import numpy.typing as npt
import pytest

from offramp.bundle import Bundle, InnerExit, LinearLayer, Part, Preprocessing, ReluLayer
from offramp.codec import FloatCodec
from offramp.exits import NEVER, ExitRule

N_CLASSES = 3
Labelled = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def draw(n: int, *, seed: int) -> Labelled:
    """Samples (n, 8) around three curves that cross."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, N_CLASSES, n)
    along = rng.uniform(-1, 1, n)
    directions = np.random.default_rng(0).standard_normal((2, N_CLASSES, 8))
    curve = along[:, None] * directions[0, y] + 3 * (along**2)[:, None] * directions[1, y]
    return (curve + 0.4 * rng.standard_normal((n, 8))).astype(np.float32), y


def dense(*weights: npt.NDArray[np.floating]) -> Part:
    """Dense layers (n_out, n_in) without biases, a ReLU between them."""
    layers: list[LinearLayer | ReluLayer] = []
    arrays = {}
    for weight in weights:
        layers += [ReluLayer()] if layers else []
        arrays[f"{len(layers)}.weight"] = weight.astype(np.float32)
        layers.append(LinearLayer(weight.shape[1], weight.shape[0], False))
    return Part(tuple(layers), arrays)


def scores(features: npt.NDArray[np.floating], y: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Weights (n_classes, n_features) of scores that are too sure of themselves."""
    wanted = np.eye(N_CLASSES)[y] - 1 / N_CLASSES
    gram = features.T @ features + np.eye(features.shape[1])
    return 15 * np.linalg.solve(gram, features.T @ wanted).T


@pytest.fixture(scope="session")
def network() -> Bundle:
    """Exits exit-head-1, exit and exit-tail-2; 6 of 24 features are sent, as float16."""
    rng = np.random.default_rng(1)
    x, y = draw(1000, seed=2)
    into, back = rng.standard_normal((24, 8)), rng.standard_normal((48, 6))
    before = x @ into.T
    features = np.maximum(before, 0)
    encoder = np.linalg.svd(features, full_matrices=False)[2][:6]
    hidden = np.maximum(features @ encoder.T @ back.T, 0)
    head = dense(into)
    rule = ExitRule(NEVER)
    return Bundle(
        name="curves",
        preprocessing=Preprocessing((8,), "float32"),
        classes=("one", "two", "three"),
        head=Part((*head.layers, ReluLayer()), head.arrays),
        exit=dense(scores(features, y)),
        encoder=dense(encoder),
        tail=dense(back, scores(hidden, y)),
        exit_rule=rule,
        inner_exits=(
            InnerExit("head", 1, dense(scores(before, y)), rule),
            InnerExit("tail", 2, dense(scores(hidden[:, ::2], y) @ np.eye(48)[::2]), rule),
        ),
        codec=FloatCodec("float16"),
    )


@pytest.fixture(scope="session")
def samples() -> Labelled:
    """2,000 of them."""
    return draw(2000, seed=3)
