import numpy as np
import pytest

from offramp import pattern
from offramp.bundle import Bundle, LinearLayer, Part, Preprocessing, ReluLayer, SparseLinearLayer
from offramp.exits import ExitRule


def sparse(rng, n_in, n_out, out_degree, *, block=(1, 1), bias=True):
    made = pattern.block(n_in, n_out, out_degree, block=block, seed=3)
    layer = SparseLinearLayer(n_in, n_out, out_degree, block, bias, made.digest())
    arrays = {"weight": (*made.table.shape, block[0] * block[1])} | ({"bias": (n_out,)} if bias else {})
    return layer, {name: rng.standard_normal(shape, np.float32) for name, shape in arrays.items()} | {
        "table": made.table
    }


def dense(rng, n_in, n_out, *, bias=True):
    arrays = {"weight": (n_out, n_in)} | ({"bias": (n_out,)} if bias else {})
    return LinearLayer(n_in, n_out, bias), {
        name: rng.standard_normal(shape, np.float32) for name, shape in arrays.items()
    }


def part(*layers):
    arrays = {f"{i}.{name}": array for i, (_, own) in enumerate(layers) for name, array in own.items()}
    return Part(tuple(layer for layer, _ in layers), arrays)


RELU = (ReluLayer(), {})


def make_bundle(name="tiny", **changes):
    """12 values -> 8 features -> 3 classes."""
    rng = np.random.default_rng(5)
    fields = {
        "preprocessing": Preprocessing((12,), "float32"),
        "classes": ("ant", "bee", "cat"),
        "head": part(sparse(rng, 12, 8, 4), RELU),
        "exit": part(dense(rng, 8, 3)),
        "tail": part(sparse(rng, 8, 6, 3), RELU, dense(rng, 6, 3)),
        "exit_rule": ExitRule(0.75),
    }
    return Bundle(name, **(fields | changes))


class Workshop:
    """What the tests of this folder build with."""

    bundle = staticmethod(make_bundle)
    part = staticmethod(part)
    sparse = staticmethod(sparse)
    dense = staticmethod(dense)
    relu = RELU


@pytest.fixture(scope="session")
def workshop():
    return Workshop
