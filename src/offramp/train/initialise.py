"""First weights, as a recipe wants them."""

import math

from torch import nn

from offramp.nn import SparseLinear
from offramp.train.recipe import Recipe

# Standard deviation of a unit normal cut at two standard deviations; Keras divides by it.
_CUT_NORMAL_STD = 0.87962566103423978


def initialise(model: nn.Module, recipe: Recipe) -> None:
    """Draw the weights of every linear layer from Torch's global generator; set the biases.

    "in_degree" is He-normal by the edges that enter a neuron. "dense_fan_in" repeats Keras' `he_normal` on
    the dense matrix, of which a pattern then keeps its edges: a normal cut at two standard deviations and
    widened by 1/0.8796, with variance 2/n_in however few the edges. Its entries are independent, so only
    those on edges are drawn. Other modules with `reset_parameters` get their own first weights.
    """
    for module in model.modules():
        if isinstance(module, SparseLinear | nn.Linear):
            _initialise(module, recipe)
        elif callable(reset := getattr(module, "reset_parameters", None)):
            reset()


def _initialise(layer: SparseLinear | nn.Linear, recipe: Recipe) -> None:
    if recipe.init == "dense_fan_in":
        std = math.sqrt(2 / layer.in_features) / _CUT_NORMAL_STD
        nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
    else:
        n_edges = layer.pattern.in_degree if isinstance(layer, SparseLinear) else layer.in_features
        nn.init.normal_(layer.weight, std=math.sqrt(2 / n_edges))
    if layer.bias is not None:
        nn.init.constant_(layer.bias, recipe.initial_bias)
