"""Programs that differ in one thing beside their junctions: how sureness is told, how features are coded."""

from collections.abc import Iterator

import numpy as np

from offramp import pattern
from offramp.bundle import (
    Bundle,
    LinearLayer,
    Part,
    Preprocessing,
    Quantisation,
    ReluLayer,
    SparseLinearLayer,
)
from offramp.codec import CODECS, FloatCodec, Grid, fit_codec
from offramp.exits import CRITERIA, ExitRule
from offramp.export.c import Numbers, Program, program
from offramp.export.c.costs import Key, Price, chooser
from offramp.plan.footprint import Footprint
from offramp.plan.footprint.counted import junction_code, rest_kinds
from offramp.plan.footprint.measured import measured
from offramp.plan.footprint.parts import chosen, junctions, priced
from offramp.targets import Target

N_CLASSES = 10
NUMBERS: tuple[Numbers, ...] = ("int8", "float32")
BASE = {"criterion": "max_softmax", "codec": "int8", "pool": 1, "dtype": "uint8"}
VARIANTS = [
    BASE,
    *(BASE | {"criterion": name} for name in CRITERIA if name != BASE["criterion"]),
    *(BASE | {"codec": name} for name in CODECS if name != BASE["codec"] and "int4" not in name),
    BASE | {"pool": 2},
    BASE | {"pool": 3},
    BASE | {"dtype": "float32"},
]

VARIANTS_OF = {
    "int8": VARIANTS,
    "float32": [one for one in VARIANTS if one == BASE or one["codec"] != BASE["codec"]],  # the rest is equal
}


def prices(target: Target) -> Iterator[tuple[Key, Price]]:
    """Of everything in a program but its junctions; counts are for each output, class, sent or raw value."""
    for numbers in NUMBERS:
        known: dict[str, Price] = {}
        for variant in VARIANTS_OF[numbers]:
            made = _program(numbers, target.name, variant)
            found = measured(made, target)
            code = found.flash["code"] + found.flash["library"] - junction_code(made, target.name)
            code -= sum(known[kind].code_bytes for kind in rest_kinds(made) if kind in known)
            for kind, count in _counts(made, found, target.name, known).items():
                if kind not in known:
                    known[kind] = Price(output=round(count, 2), code_bytes=code)
                    code = 0  # of a variant all that is new belongs to the first of what it has more
        for kind, price in known.items():
            yield Key(target.name, numbers, "rest", kind, 0, 0), price


def _counts(made: Program, found: Footprint, target: str, known: dict[str, Price]) -> dict[str, float]:
    """By kind, for each output, class, sent or raw value."""
    by_name = {one.name: one.count for one in found.junctions}
    exit = found.counts["exit"] - sum(n for name, n in by_name.items() if name.startswith("exit"))
    base, read, criterion, codec = rest_kinds(made)
    _, first = next(iter(junctions(made)))
    beside = by_name["head 1"] - chosen(made, first, priced(made, first, target, 0.0)).count
    n_out = first.shape.n_out
    as_they_are = read == "read as they are"
    symbol = beside / n_out if as_they_are else known["symbol"].output if "symbol" in known else 0.0
    return {
        base: 0.0,
        read: 0.0 if as_they_are else (beside - symbol * n_out) / made.inputs.n_raw,
        criterion: exit / N_CLASSES,
        codec: found.counts["encode"] / made.n_sent,
        "symbol": symbol,
    }


def _program(numbers: Numbers, target: str, variant: dict[str, object]) -> Program:
    rng = np.random.default_rng(2)
    side, pool = 8 * int(str(variant["pool"])), int(str(variant["pool"]))
    rule = Preprocessing((side, side), str(variant["dtype"]), pool=pool, scale=1 / 16)  # type: ignore[arg-type]
    made = pattern.block(64, 32, 8, block=(1, 1), seed=1)
    layer = SparseLinearLayer(64, 32, 8, (1, 1), True, made.digest())
    head = Part(
        (layer, ReluLayer()),
        {
            "0.weight": rng.standard_normal((*made.table.shape, 1), np.float32),
            "0.table": made.table,
            "0.bias": rng.standard_normal(32, np.float32),
        },
    )
    exit = Part(
        (LinearLayer(32, N_CLASSES, True),),
        {
            "0.weight": rng.standard_normal((N_CLASSES, 32), np.float32),
            "0.bias": rng.standard_normal(N_CLASSES, np.float32),
        },
    )
    criterion = str(variant["criterion"])
    weights = (*np.linspace(0.5, -0.5, N_CLASSES), 0.1) if criterion == "learned" else ()
    exit_rule = ExitRule(0.8, criterion, weights=weights)  # type: ignore[arg-type]
    features = np.maximum(rng.standard_normal((256, 32), np.float32), 0) * 8
    codec = fit_codec(str(variant["codec"]), features)
    grid = Grid(8, (0.0,) * 32, (0.1,) * 32)
    quantisation = Quantisation(
        None if rule.dtype == "uint8" else Grid(8, (-0.25,), (0.002,)),
        {"head": (grid,) if isinstance(codec, FloatCodec) else (), "exit": ()},
        exit_rule,
    )
    bundle = Bundle(
        "rest",
        preprocessing=rule,
        classes=tuple(map(str, range(N_CLASSES))),
        head=head,
        exit=exit,
        tail=None,
        exit_rule=exit_rule,
        codec=codec,
        quantisation=quantisation,
    )
    return program(bundle, numbers, chooser(target))
