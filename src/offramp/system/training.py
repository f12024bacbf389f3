"""From data to a bundle: what `train` and `demo` share. Imports Torch."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from offramp.bundle import Bundle, Part, Preprocessing
from offramp.codec import Codec, arrived, fit_codec
from offramp.data import Dataset
from offramp.exits import ExitRule, empirical_threshold
from offramp.nn import to_parts
from offramp.runtime import Network
from offramp.system.design import Design, untrained
from offramp.system.lesson import Lesson
from offramp.train import History, Recipe, Watch, fit
from offramp.train.threads import torch_threads


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
