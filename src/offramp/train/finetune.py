# mypy: allow-untyped-calls
# (Torch leaves Tensor.split without types.)
"""Training on with features as a codec of whole numbers gives them to the tail."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from offramp.bundle import Preprocessing
from offramp.codec import CODECS, Codec, codec_from, fit_codec
from offramp.codec.frequencies import fit_frequencies
from offramp.codec.gridded import GriddedCodec
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import SplitModel
from offramp.nn.fake_quantise import FakeQuantise
from offramp.train.distil import Distillation
from offramp.train.fit import Progress, fit
from offramp.train.history import History
from offramp.train.recipe import Recipe
from offramp.train.samples import KEPT_BYTES, Samples

EPOCHS = 5
_BITS = {"int8": 8, "int4": 4}  # of the first halves of names
_BATCH = 2048


@dataclass(frozen=True, eq=False)
class Finetuned:
    """How it went, and the codec that the tail was trained for.

    The history's tail accuracy is that with coded features.
    """

    history: History
    codec: Codec


def finetune_for_codec(
    model: SplitModel,
    dataset: Dataset | Samples,
    recipe: Recipe,
    *,
    preprocessing: Preprocessing,
    codec: str,
    epochs: int = EPOCHS,
    learning_rate: float | None = None,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    distillation: Distillation | None = None,
    progress: Progress = True,
) -> Finetuned:
    """Train a trained model on, in place, so that coding its features costs less.

    What crosses the wire (the encoder's values, or the head's features) is rounded to the codec's levels on
    its way to the tail; exits read features as they are. Each epoch begins by fitting the levels to all
    training samples anew. Those of the last epoch are the codec's: with it, the exported network is the one
    that was trained and measured.

    Args:
        recipe: the one that the model was trained by; its way to train exits is kept, without the first phase
            of "mixed".
        codec: "int8" or "int4", alone or with "-zeros" or "-range".
        learning_rate: at its highest, a third of the recipe's where it is left out.
        checkpoint, distillation, progress, seed: as in `fit`. A run goes on if the model it is called with
            again has the weights that it had at first.

    Raises:
        ConfigError: a codec without levels; as `fit` does.
    """
    bits = _BITS.get(codec.partition("-")[0])
    if bits is None or codec not in CODECS:
        raise ConfigError(
            f"codec {codec!r} has no levels to train for; use one of"
            f" {', '.join(name for name in CODECS if name.startswith('int'))}"
        )
    samples = dataset if isinstance(dataset, Samples) else Samples(dataset, keep_bytes=KEPT_BYTES)
    x, _ = samples.of(recipe.splits, preprocessing)
    fake = FakeQuantise(_sent(model, x[:1]).shape[1], bits)
    encoder = nn.Sequential(fake) if model.encoder is None else nn.Sequential(model.encoder, fake)
    tuned = SplitModel(model.head, model.exit, model.tail, encoder=encoder, inner_exits=model.inner_exits)

    def fit_levels(x: Tensor) -> None:
        fitted = fit_codec(codec.partition("-")[0], _sent(model, x))
        assert isinstance(fitted, GriddedCodec)
        fake.fit_to(torch.tensor(fitted.grid.low), torch.tensor(fitted.grid.step))

    history = fit(
        tuned,
        samples,
        replace(
            recipe,
            epochs=epochs,
            learning_rate=recipe.learning_rate / 3 if learning_rate is None else learning_rate,
            exits="joint" if recipe.exits == "mixed" else recipe.exits,
        ),
        preprocessing=preprocessing,
        seed=seed,
        checkpoint=checkpoint,
        distillation=distillation,
        initialise=False,
        progress=progress,
        before_epoch=fit_levels,
    )
    return Finetuned(history, _codec(codec, fake, _sent(model, x)))


def _sent(model: SplitModel, x: Tensor) -> npt.NDArray[np.float32]:
    """What crosses the wire for these samples, before it is coded."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            features = [model.head(some) for some in x.split(_BATCH)]
            sent = features if model.encoder is None else [model.encoder(some) for some in features]
    finally:
        model.train(was_training)
    return torch.cat(sent).numpy()


def _codec(name: str, fake: FakeQuantise, sent: npt.NDArray[np.float32]) -> Codec:
    """The codec with these levels; what else it has is fitted to what is sent."""
    parameters: dict[str, Any] = {"low": fake.low.tolist(), "step": fake.step.tolist()}
    if name.endswith("-range"):
        plain = codec_from(name.removesuffix("-range"), parameters)
        assert isinstance(plain, GriddedCodec)
        frequencies = fit_frequencies(plain.grid.symbols(sent), plain.grid.bits)
        parameters["frequencies"] = [list(row) for row in frequencies]
    return codec_from(name, parameters)
