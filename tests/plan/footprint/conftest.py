from dataclasses import replace

import numpy as np
import pytest

from offramp import pattern
from offramp.bundle import Bundle, LinearLayer, Part, Preprocessing, ReluLayer, SparseLinearLayer
from offramp.codec import fit_codec
from offramp.exits import ExitRule
from offramp.plan.judgement.fitted_grids import fitted_grids


def _bundle() -> Bundle:
    """Drawings of 16 x 16, pooled to 64 inputs; 40 features; 10 classes; half the pixels are 0."""
    rng = np.random.default_rng(1)
    made = pattern.block(64, 40, 10, block=(4, 2), seed=1)
    layer = SparseLinearLayer(64, 40, 10, (4, 2), True, made.digest())
    head = {
        "0.weight": rng.standard_normal((*made.table.shape, 8), np.float32),
        "0.table": made.table,
        "0.bias": rng.standard_normal(40, np.float32),
    }
    exit = {"0.weight": rng.standard_normal((10, 40), np.float32), "0.bias": np.ones(10, np.float32)}
    tail = {"0.weight": rng.standard_normal((10, 40), np.float32)}
    rule = Preprocessing((16, 16), "uint8", pool=2, scale=1 / 255)
    samples = (rng.integers(0, 256, (64, 16, 16)) * rng.integers(0, 2, (64, 16, 16))).astype(np.uint8)
    features = np.maximum(rng.standard_normal((64, 40), np.float32), 0) * 4
    bundle = Bundle(
        "small",
        preprocessing=rule,
        classes=tuple("0123456789"),
        head=Part((layer, ReluLayer()), head),
        exit=Part((LinearLayer(40, 10, True),), exit),
        tail=Part((LinearLayer(40, 10, False),), tail),
        exit_rule=ExitRule(0.9, "margin"),
        codec=fit_codec("int8-zeros", features),
    )
    return replace(bundle, quantisation=replace(fitted_grids(bundle, samples), rule=bundle.exit_rule))


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return _bundle()


@pytest.fixture(scope="session")
def wide() -> Bundle:
    """16 x 16 pixels -> 200 features -> 2 classes; 51,200 weights in its head."""
    return Bundle(
        "wide",
        preprocessing=Preprocessing((16, 16), "uint8"),
        classes=("left", "right"),
        head=Part((LinearLayer(256, 200, False), ReluLayer()), {"0.weight": np.ones((200, 256), np.float32)}),
        exit=Part((LinearLayer(200, 2, False),), {"0.weight": np.ones((2, 200), np.float32)}),
        tail=None,
        exit_rule=ExitRule(0.9),
    )
