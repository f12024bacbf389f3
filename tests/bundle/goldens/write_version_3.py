"""Wrote the bundle beside it, in version 3. A new format gets a new script and a new folder."""

from pathlib import Path

import numpy as np

from offramp.bundle import (
    Bundle,
    LinearLayer,
    Part,
    Preprocessing,
    Quantisation,
    ReluLayer,
    SparseLinearLayer,
    write,
)
from offramp.codec import FloatCodec, Grid
from offramp.exits import ExitRule, Profile
from offramp.pattern import Pattern

FOLDER = Path(__file__).parent / "version_3"


def sixteenths(*shape):
    """Weights that need no rounding: -0.5, -0.4375, ..."""
    return ((np.arange(np.prod(shape)) % 17 - 8) / 16).astype(np.float32).reshape(shape)


def scores(n_features):
    return Part((LinearLayer(n_features, 2, False),), {"0.weight": sixteenths(2, n_features)})


def bundle():
    """4 x 4 bytes, averaged to 2 x 2, padded to 6 inputs -> 6 features (blocks of 2 x 1) -> 2 classes.

    3 values cross the wire.
    """
    pattern = Pattern.from_table(6, 6, np.array([[0, 1], [1, 2], [0, 2]] * 2), block=(2, 1))
    sparse = SparseLinearLayer(6, 6, pattern.out_degree, (2, 1), True, pattern.digest())
    head = {"0.weight": sixteenths(6, 2, 2), "0.table": pattern.table, "0.bias": sixteenths(6)}
    return Bundle(
        name="golden",
        preprocessing=Preprocessing(
            (4, 4), "uint8", pool=2, offset=(0.5, 1.0, 1.5, 2.0), scale=0.125, pad_to=6
        ),
        classes=("left", "right"),
        head=Part((sparse, ReluLayer()), head),
        exit=scores(6),
        encoder=Part((LinearLayer(6, 3, False),), {"0.weight": sixteenths(3, 6)}),
        tail=Part(
            (LinearLayer(3, 4, True), ReluLayer(), LinearLayer(4, 2, False)),
            {"0.weight": -sixteenths(4, 3), "0.bias": sixteenths(4), "2.weight": sixteenths(2, 4)},
        ),
        exit_rule=ExitRule(
            0.75,
            criterion="learned",
            temperature=1.5,
            weights=(1.0, -0.5, 0.25),
            profile=Profile((0, 0.25, 0.5, 1), (1, 2, 3)),
            evidence={"method": "empirical", "n": 100},
        ),
        codec=FloatCodec("float16"),
        quantisation=Quantisation(
            input=None,
            grids={
                "head": (Grid(8, (0.0,) * 6, tuple((i + 1) / 64 for i in range(6))),),
                "exit": (),
                "encoder": (Grid(8, (-16.0, -12.5, -8.0), (0.125, 0.1, 0.0625)),),
            },
            rule=ExitRule(0.625, criterion="margin", temperature=1.25, evidence={"method": "empirical"}),
            evidence={"n": 100},
        ),
        training={"recipe": "paper", "seed": 0},
    )


if __name__ == "__main__":
    write(bundle(), FOLDER, overwrite=FOLDER.exists())
