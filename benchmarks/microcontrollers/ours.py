"""A sparse network by `offramp export c`: head and exit in integers, with the exit's confidence."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.microcontrollers.contender import Sources
from offramp.bundle import Bundle, Preprocessing
from offramp.codec import fit_codec
from offramp.exits import ExitRule
from offramp.export.c import Prefer, Program, chosen_program, header, source
from offramp.int8 import IntegerDevice
from offramp.nn import MLP, to_part
from offramp.plan.judgement.fitted_grids import fitted_grids
from offramp.runtime import edge_scores

PREFERENCES: tuple[Prefer, ...] = ("size", "speed")
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


def exported(bundle: Bundle, targets: Sequence[str]) -> dict[str, tuple[str, Program]]:
    """What `offramp export c` chooses for each target, by what is preferred and how samples are read."""
    return {
        f"{'streamed' if streaming else 'rows'}, {prefer}, {target}": (
            target,
            chosen_program(bundle, "int8", target=target, prefer=prefer, streaming=streaming),
        )
        for target in targets
        for streaming in (True, False)
        for prefer in PREFERENCES
    }


def write(written: Program, folder: Path, *, target: str) -> Sources:
    """The C in `folder`, and what it is compiled with."""
    (folder / "sparse.c").write_text(source(written), encoding="utf-8")
    (folder / "sparse.h").write_text(header(written), encoding="utf-8")
    (folder / "network.c").write_text(_GLUE, encoding="utf-8")
    return Sources((folder / "network.c", folder / "sparse.c"), (folder,), foreign=False, target=target)


def classes(bundle: Bundle, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """By the integer reference."""
    found: npt.NDArray[np.int64] = IntegerDevice(bundle).trace(images).scores.argmax(axis=1)
    return found
