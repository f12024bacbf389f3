"""From data to a bundle: what `train` and `demo` share. Imports Torch."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypedDict

from offramp.bundle import Bundle, Part, Preprocessing, inner_exits
from offramp.codec import Codec, fit_codec
from offramp.data import Dataset
from offramp.exits import NEVER, ExitRule
from offramp.exits.guarantee import empirical_threshold
from offramp.nn import to_parts
from offramp.plan.judgement import judged, rules_of, with_rules
from offramp.runtime import edge_scores
from offramp.system.design import Design, untrained
from offramp.system.lesson import Lesson, teacher_folder
from offramp.train import Distillation, History, Recipe, Watch, finetune_for_codec, fit
from offramp.train.threads import torch_threads


class _How(TypedDict):
    """What training and fine-tuning have in common."""

    preprocessing: Preprocessing
    seed: int
    distillation: Distillation | None
    progress: bool | Watch


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
        how: _How = {
            "preprocessing": preprocessing,
            "seed": seed,
            "distillation": None if taught is None else taught.distillation,
            "progress": progress,
        }
        history = fit(model, dataset, recipe, checkpoint=checkpoint, **how)
        codec = None
        if design.quantise_epochs:
            tuned = finetune_for_codec(
                model,
                dataset,
                recipe,
                codec=design.codec,
                epochs=design.quantise_epochs,
                checkpoint=None if checkpoint is None else finetuning_folder(checkpoint),
                **how,
            )
            history, codec = history.followed_by(tuned.history), tuned.codec
    bundle = _bundle(name, to_parts(model), dataset, preprocessing, design, codec)
    record = _record(dataset, recipe, history) | ({} if taught is None else {"taught": taught.record})
    return _with_threshold(replace(bundle, training=record), dataset, design), history


def checkpoint_folders(checkpoint: Path) -> tuple[Path, ...]:
    """Where `train_bundle` keeps what is to go on: the inner ones first."""
    return teacher_folder(checkpoint), finetuning_folder(checkpoint), checkpoint


def finetuning_folder(checkpoint: Path) -> Path:
    """Where the fine-tuning of a run is kept while it goes on."""
    return checkpoint / "finetuning"


def _bundle(
    name: str,
    parts: Mapping[str, Part],
    dataset: Dataset,
    preprocessing: Preprocessing,
    design: Design,
    codec: Codec | None,
) -> Bundle:
    """The trained parts with the codec, if none is given fitted to what they send; no exit answers yet."""
    bundle = Bundle(
        name=name,
        preprocessing=preprocessing,
        classes=dataset.classes,
        head=parts["head"],
        exit=parts["exit"],
        tail=parts["tail"],
        encoder=parts.get("encoder"),
        exit_rule=ExitRule(NEVER),
        inner_exits=inner_exits(parts, ExitRule(NEVER)),
    )
    if codec is None:
        _, sent = edge_scores(bundle, dataset.split("train")[0])
        codec = fit_codec(design.codec, sent)
    return replace(bundle, codec=codec)


def _with_threshold(bundle: Bundle, dataset: Dataset, design: Design) -> Bundle:
    """With the threshold that would have been best on the calibration samples, the same for all exits."""
    samples, labels = dataset.split("calibration")
    threshold, evidence = empirical_threshold(
        judged(bundle, samples, labels), max_accuracy_drop=design.max_accuracy_drop
    )
    evidence["data_digest"] = dataset.digest("calibration")
    # true makes the figures optimistic
    evidence["seen_in_training"] = bundle.training["recipe"]["train_on_everything"]
    rule = ExitRule(threshold, evidence=evidence)
    return with_rules(bundle, dict.fromkeys(rules_of(bundle), rule))


def _record(dataset: Dataset, recipe: Recipe, history: History) -> dict[str, Any]:
    """What the bundle remembers of its training, as JSON values."""
    last = history.epochs[-1]
    return {
        "dataset": dataset.name,
        "data_digest": dataset.digest("train"),
        "seed": history.seed,
        "recipe": recipe.to_dict(),
        "seconds": history.seconds,
        "validation_accuracy": {
            "exit": last.exit_accuracy,
            "tail": last.tail_accuracy,
            **last.inner_accuracies,
        },
        "history": [asdict(epoch) for epoch in history.epochs],
    }
