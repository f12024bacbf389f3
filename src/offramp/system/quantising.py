"""A trained bundle trained on, so that devices of integers lose less. Imports Torch."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

from offramp.bundle import Bundle
from offramp.codec import GriddedCodec, fit_codec
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import from_parts, to_parts
from offramp.plan.judgement import Goal, settled
from offramp.runtime import edge_scores
from offramp.train import RECIPES, Recipe, Watch, finetune_for_integers
from offramp.train.finetune import EPOCHS
from offramp.train.threads import torch_threads


def finetuned(
    bundle: Bundle,
    dataset: Dataset,
    *,
    goal: Goal | None = None,
    epochs: int = EPOCHS,
    threads: int = 1,
    progress: bool | Watch = True,
) -> Bundle:
    """The bundle, trained on with rounded weights and activations; still to be quantised.

    All parts are new, so a tail of the old bundle refuses its features. The codec is fitted anew, and the
    float32 exit gets its threshold by the standard of the old one, or by `goal`.

    Args:
        bundle: with all of its parts and no inner exits.
        dataset: the one that it was trained on; the test split is not read.
        threads: Torch's while it trains.

    Raises:
        ConfigError: inner exits.
        DataError: as `settled`.
    """
    if bundle.inner_exits:
        raise ConfigError(f"bundle {bundle.name!r} has inner exits; fine-tuning for integers knows none")
    model = from_parts(**bundle.parts)
    codec = bundle.codec
    seed = bundle.training.get("seed")
    with torch_threads(threads):
        history = finetune_for_integers(
            model,
            dataset,
            _recipe(bundle.training.get("recipe")),
            preprocessing=bundle.preprocessing,
            sent_bits=codec.grid.bits if isinstance(codec, GriddedCodec) else 8,
            epochs=epochs,
            seed=seed if isinstance(seed, int) else 0,
            progress=progress,
        )
    parts: dict[str, Any] = {**to_parts(model)}
    tuned = replace(bundle, **parts, head_digest="", encoder_digest="", quantisation=None)
    if isinstance(codec, GriddedCodec):
        _, sent = edge_scores(tuned, dataset.split("train")[0])
        tuned = replace(tuned, codec=fit_codec(codec.name, sent))
    record = {"seconds": history.seconds, "history": [asdict(epoch) for epoch in history.epochs]}
    rule, _ = settled(tuned, *dataset.split("calibration"), goal=goal)
    return replace(tuned, exit_rule=rule, training=bundle.training | {"finetuned_for_integers": record})


def _recipe(recorded: object) -> Recipe:
    """The recipe in a bundle's record, or where that is none of ours the default."""
    known = {field.name for field in fields(Recipe)}
    if isinstance(recorded, dict) and recorded.keys() <= known:
        try:
            return Recipe(**recorded)
        except TypeError:  # it lacks some
            return RECIPES["cosine"]
    return RECIPES["cosine"]
