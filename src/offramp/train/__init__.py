"""Recipes, the training loop and its checkpoints."""

from offramp.train.evaluate import Accuracies, evaluate
from offramp.train.fit import fit
from offramp.train.history import Epoch, History
from offramp.train.initialise import initialise
from offramp.train.progress import Watch
from offramp.train.recipe import RECIPES, Recipe

__all__ = ["RECIPES", "Accuracies", "Epoch", "History", "Recipe", "Watch", "evaluate", "fit", "initialise"]
