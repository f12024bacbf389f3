"""A sparse network by `offramp export c`: head and exit in integers, with the exit's confidence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.microcontrollers.contender import Sources
from offramp.bundle import Bundle, Preprocessing
from offramp.codec import fit_codec
from offramp.exits import ExitRule
from offramp.export.c import Encoding, Program, Shape, encodings, header, program, source
from offramp.int8 import IntegerDevice
from offramp.nn import MLP, to_part
from offramp.plan.judgement.fitted_grids import fitted_grids
from offramp.runtime import edge_scores

RULE = ExitRule(0.9)  # the price of a confidence is that of any threshold
_GLUE = """\
#include "network.h"

#include "sparse.h"

uint8_t classify(const uint8_t *pixels)
{
    sparse_feature features[SPARSE_N_FEATURES];
    sparse_head(pixels, features);
    return (uint8_t)sparse_exit(features).label;
}
"""


def bundle(model: MLP, preprocessing: Preprocessing, images: npt.NDArray[np.uint8]) -> Bundle:
    """Head and exit, with grids that fit what they compute of these images."""
    in_floats = Bundle(
        name="sparse",
        preprocessing=preprocessing,
        classes=tuple("0123456789"),
        head=to_part(model[:-1], name="head"),
        exit=to_part(model[-1:], name="exit"),
        tail=None,
        exit_rule=RULE,
    )
    _, features = edge_scores(in_floats, images)
    made = replace(in_floats, codec=fit_codec("int8", features))
    return replace(made, quantisation=fitted_grids(made, images))


def exported(bundle: Bundle) -> dict[str, Program]:
    """Every form that `offramp export c` may choose for a target, by its name."""
    return {
        f"{'streamed' if streaming else 'rows'}, {index}": program(
            bundle, "int8", choose, streaming=streaming
        )
        for streaming in (True, False)
        for index, choose in (("no index where a formula is", _smallest), ("stored index", _stored))
    }


def _smallest(shape: Shape) -> Encoding:
    return min(encodings(shape), key=lambda encoding: encoding.weight_bytes + encoding.index_bytes)


def _stored(shape: Shape) -> Encoding:
    kept = [encoding for encoding in encodings(shape) if encoding.affine is None]
    return min(kept, key=lambda encoding: encoding.weight_bytes + encoding.index_bytes)


def write(written: Program, folder: Path) -> Sources:
    """The C in `folder`, and what it is compiled with."""
    (folder / "sparse.c").write_text(source(written), encoding="utf-8")
    (folder / "sparse.h").write_text(header(written), encoding="utf-8")
    (folder / "network.c").write_text(_GLUE, encoding="utf-8")
    return Sources((folder / "network.c", folder / "sparse.c"), (folder,), foreign=False)


def classes(bundle: Bundle, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """By the integer reference."""
    found: npt.NDArray[np.int64] = IntegerDevice(bundle).trace(images).scores.argmax(axis=1)
    return found
