"""From data to a bundle: what `train` and `demo` share. Imports Torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from offramp.bundle import Bundle, Part, Preprocessing
from offramp.cli.arguments import AUTO
from offramp.cli.lesson import Lesson
from offramp.codec import Codec, arrived, check_name, fit_codec
from offramp.data import Dataset, preprocessing_for
from offramp.errors import ConfigError
from offramp.exits import ExitRule, empirical_threshold
from offramp.nn import MLP, SplitModel, split_midpoint, to_parts
from offramp.pattern import BLOCK_COSTS, fastest_block, largest_block
from offramp.runtime import Network
from offramp.train import History, Recipe, Watch, fit
from offramp.train.threads import torch_threads

DEFAULT_BLOCK = (4, 4)


@dataclass(frozen=True, kw_only=True)
class Design:
    """A split network to be.

    Args:
        neurons: widths of all layers; AUTO for the first or last follows from the data.
        out_degrees: of all junctions, None for dense ones; None for all of them makes the first junction a
            quarter dense and leaves the others dense.
        pattern, block: of the sparse junctions; no block means DEFAULT_BLOCK where the pattern is "block",
            and each junction's fastest where it is "auto".
        exit_hidden: widths of the exit's hidden layers.
        pool: side of the windows that images are averaged over first.
        codec: how features cross the wire.
        max_accuracy_drop: what the exit may cost on the calibration split, as a share.
    """

    neurons: Sequence[int]
    out_degrees: Sequence[int | None] | None = None
    pattern: str = "block"
    block: tuple[int, int] | None = None
    exit_hidden: Sequence[int] = ()
    pool: int = 1
    codec: str = "float32"
    max_accuracy_drop: float = 0.005

    def __post_init__(self) -> None:
        check_name(self.codec)  # a bundle would refuse it too, but after the training


def train_bundle(
    name: str,
    dataset: Dataset,
    design: Design,
    recipe: Recipe,
    *,
    seed: int = 0,
    lesson: Lesson | None = None,
    checkpoint: Path | None = None,
    threads: int = 1,
    progress: bool | Watch = True,
) -> tuple[Bundle, History]:
    """A trained split network with its exit's threshold, and how the training went.

    Args:
        lesson: whom to learn from beside the labels.
        checkpoint: folder through which an interrupted training goes on.
        threads: Torch's while it trains.
        progress: as in `fit`.

    Raises:
        ConfigError, PatternError: the design cannot be, or does not fit the data.
    """
    model, preprocessing = untrained(dataset, design, seed=seed)
    with torch_threads(threads):
        taught = None
        if lesson is not None:
            taught = lesson.taught(dataset, recipe, seed=seed, checkpoint=checkpoint, progress=progress)
        history = fit(
            model,
            dataset,
            recipe,
            preprocessing=preprocessing,
            seed=seed,
            checkpoint=checkpoint,
            distillation=None if taught is None else taught.distillation,
            progress=progress,
        )
    parts = to_parts(model)
    codec = fit_codec(design.codec, Network(parts["head"])(preprocessing(dataset.split("train")[0])))
    bundle = Bundle(
        name=name,
        preprocessing=preprocessing,
        classes=dataset.classes,
        head=parts["head"],
        exit=parts["exit"],
        tail=parts["tail"],
        exit_rule=_exit_rule(parts, dataset, preprocessing, codec, design, recipe),
        codec=codec,
        training=_record(dataset, recipe, history) | ({} if taught is None else {"taught": taught.record}),
    )
    return bundle, history


def untrained(dataset: Dataset, design: Design, *, seed: int) -> tuple[SplitModel, Preprocessing]:
    """The network as designed for this data, and what its inputs are made by.

    Raises:
        ConfigError, PatternError: the design cannot be, or does not fit the data.
    """
    block = design.block or (DEFAULT_BLOCK if design.pattern == "block" else None)
    n_values = preprocessing_for(dataset, pool=design.pool).n_features
    neurons, out_degrees = resolve(design, block, n_values=n_values, n_classes=len(dataset.classes))
    preprocessing = preprocessing_for(dataset, pool=design.pool, pad_to=neurons[0])
    mlp = MLP(neurons, out_degrees, pattern=design.pattern, block=block, seed=seed)
    return split_midpoint(mlp, exit_hidden=design.exit_hidden), preprocessing


def resolve(
    design: Design, block: tuple[int, int] | None, *, n_values: int, n_classes: int
) -> tuple[list[int], list[int | None]]:
    """Widths and out-degrees with nothing left open.

    Args:
        n_values: of a preprocessed sample.
    """
    neurons = list(design.neurons)
    if len(neurons) < 3 or AUTO in neurons[1:-1]:
        raise ConfigError(
            f"neurons {_spelled(neurons)}; give three widths or more, with auto only at the ends"
        )
    neurons[-1] = neurons[-1] or n_classes
    if neurons[-1] != n_classes:
        raise ConfigError(
            f"{neurons[-1]} outputs for {n_classes} classes; end neurons with {n_classes} or auto"
        )
    out_degrees = _out_degrees(design, neurons, block)
    neurons[0] = neurons[0] or padded_width(
        n_values, neurons[1], out_degrees[0] or neurons[1], block, auto=design.pattern == "auto"
    )
    return neurons, out_degrees


def padded_width(
    n_values: int, n_out: int, out_degree: int, block: tuple[int, int] | None, *, auto: bool = False
) -> int:
    """The input width from `n_values` on that allows the out-degree, and as much of the block as it can.

    At most an eighth of the values is added for the sake of the block.

    Args:
        auto: whether the pattern is "auto"; then it is the width that computes fastest.
    """
    step = n_out // gcd(n_out, out_degree)
    least = -(-n_values // step) * step
    candidates = range(least, least + n_values // 8 + 1, step)
    if out_degree >= n_out:
        return least
    if auto:
        return min(candidates, key=lambda n_in: n_in * BLOCK_COSTS[fastest_block(n_in, n_out, out_degree)])
    if block is None:
        return least
    return max(candidates, key=lambda n_in: np.prod(largest_block(n_in, n_out, out_degree, block)))


def _out_degrees(design: Design, neurons: Sequence[int], block: tuple[int, int] | None) -> list[int | None]:
    n_junctions = len(neurons) - 1
    if design.out_degrees is None:
        wanted = DEFAULT_BLOCK if design.pattern == "auto" else block or (1, 1)
        c = wanted[1]
        quarter = max(c, neurons[1] // 4 // c * c)
        sparse = design.pattern != "full" and quarter < neurons[1]
        return [quarter if sparse else None] + [None] * (n_junctions - 1)
    if len(design.out_degrees) != n_junctions:
        raise ConfigError(
            f"{len(design.out_degrees)} out-degrees for neurons {_spelled(neurons)};"
            f" give {n_junctions}, one a junction, full for a dense one"
        )
    return list(design.out_degrees)


def _spelled(neurons: Sequence[int]) -> str:
    return ",".join(str(width or "auto") for width in neurons)


def _exit_rule(
    parts: Mapping[str, Part],
    dataset: Dataset,
    preprocessing: Preprocessing,
    codec: Codec,
    design: Design,
    recipe: Recipe,
) -> ExitRule:
    """The threshold as device and server will see the calibration samples: native kernels, coded features."""
    raw, labels = dataset.split("calibration")
    features = Network(parts["head"])(preprocessing(raw))
    rule = empirical_threshold(
        Network(parts["exit"])(features),
        Network(parts["tail"])(arrived(codec, features)),
        labels,
        max_accuracy_drop=design.max_accuracy_drop,
        data_digest=dataset.digest("calibration"),
    )
    seen = {"seen_in_training": recipe.train_on_everything}  # true makes the figures optimistic
    return replace(rule, evidence={**rule.evidence, **seen})


def _record(dataset: Dataset, recipe: Recipe, history: History) -> dict[str, Any]:
    """What the bundle remembers of its training, as JSON values."""
    last = history.epochs[-1]
    return {
        "dataset": dataset.name,
        "data_digest": dataset.digest("train"),
        "seed": history.seed,
        "recipe": asdict(recipe),
        "seconds": history.seconds,
        "validation_accuracy": {"exit": last.exit_accuracy, "tail": last.tail_accuracy},
        "history": [asdict(epoch) for epoch in history.epochs],
    }
