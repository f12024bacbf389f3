"""Training on with weights and activations as devices of integers have them. Imports Torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from offramp.bundle import Preprocessing
from offramp.codec import fit_grid
from offramp.data import Dataset
from offramp.nn import SparseLinear, SplitModel
from offramp.nn.fake_quantise import FakeQuantise, RoundedWeights
from offramp.nn.leaves import leaves
from offramp.train.finetune import EPOCHS
from offramp.train.fit import Progress, fit
from offramp.train.history import History
from offramp.train.recipe import Recipe
from offramp.train.samples import KEPT_BYTES, Samples

_BITS = 8  # of activations
_MAX_ROWS = 8192  # samples that grids are fitted to


def finetune_for_integers(
    model: SplitModel,
    dataset: Dataset | Samples,
    recipe: Recipe,
    *,
    preprocessing: Preprocessing,
    sent_bits: int = _BITS,
    epochs: int = EPOCHS,
    learning_rate: float | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> History:
    """Train a trained model on, in place, so that head, exit and encoder in integers lose less.

    Every weight of these parts is rounded to 8 bits by docs/formats/int8.md, and what each of their junctions
    gives to a grid, which every epoch fits anew. Tail, biases and the input stay floats.

    Args:
        model: without inner exits.
        recipe: the one that the model was trained by.
        sent_bits: of the grid of what crosses the wire, 4 where the codec has such a one.
        learning_rate: at its highest, a third of the recipe's where it is left out.
        progress, seed: as in `fit`. The history's accuracies are those with everything rounded.

    Raises:
        ConfigError: as `fit` does.
    """
    samples = dataset if isinstance(dataset, Samples) else Samples(dataset, keep_bytes=KEPT_BYTES)
    head = _rounded("head", model.head, last_bits=sent_bits if model.encoder is None else _BITS)
    exit = _rounded("exit", model.exit, last_bits=None)
    encoder = None if model.encoder is None else _rounded("encoder", model.encoder, last_bits=sent_bits)
    of_input = torch.zeros(preprocessing.n_features)
    of_input[: preprocessing.n_values] = torch.from_numpy(
        np.asarray(np.abs(preprocessing.scale) if preprocessing.dtype == "uint8" else 1, np.float32)
    )

    def fit_grids(x: Tensor) -> None:
        features, step = _fit(head, x[:: -(-len(x) // _MAX_ROWS)], of_input)
        for part in (exit, encoder):
            if part is not None:
                _fit(part, features, step)

    return fit(
        SplitModel(head, exit, model.tail, encoder=encoder),
        samples,
        replace(
            recipe,
            epochs=epochs,
            learning_rate=recipe.learning_rate / 3 if learning_rate is None else learning_rate,
            exits="joint",
        ),
        preprocessing=preprocessing,
        seed=seed,
        initialise=False,
        progress=progress,
        before_epoch=fit_grids,
    )


def _rounded(name: str, part: nn.Module, *, last_bits: int | None) -> nn.Sequential:
    """The part with rounded weights, and a grid behind each junction and its ReLU; scores have no bits."""
    layers = [leaf for _, leaf in leaves(name, part)]
    last = [layer for layer in layers if isinstance(layer, SparseLinear | nn.Linear)][-1]
    modules: list[nn.Module] = []
    grids: list[FakeQuantise] = []  # of the junction before
    for layer in layers:
        if isinstance(layer, SparseLinear | nn.Linear):
            scores = layer is last and last_bits is None
            modules += [*grids, RoundedWeights(layer, one_unit=scores)]
            bits = _BITS if layer is not last else last_bits
            grids = [] if bits is None else [FakeQuantise(layer.out_features, bits)]
        else:
            modules.append(layer)
    return nn.Sequential(*modules, *grids)


@torch.no_grad()
def _fit(part: nn.Sequential, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Fit the part's grids to inputs x of these steps; gives its outputs and theirs."""
    for module in part:
        if isinstance(module, FakeQuantise):
            grid = fit_grid(x.numpy(), module.bits)
            module.fit_to(torch.tensor(grid.low), torch.tensor(grid.step))
            step = module.step
        elif isinstance(module, RoundedWeights):
            module.inputs_are_worth(step)
        x = module(x)
    return x, step
