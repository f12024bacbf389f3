"""Recipes, the training loop and its checkpoints; several runs at once."""

from offramp.train.evaluate import Accuracies, evaluate
from offramp.train.fit import fit
from offramp.train.history import Epoch, History
from offramp.train.initialise import initialise
from offramp.train.many import Job, Trained, fit_each, fit_many
from offramp.train.pool import Work, run_each
from offramp.train.progress import Watch
from offramp.train.recipe import RECIPES, Recipe

__all__ = [
    "RECIPES",
    "Accuracies",
    "Epoch",
    "History",
    "Job",
    "Recipe",
    "Trained",
    "Watch",
    "Work",
    "evaluate",
    "fit",
    "fit_each",
    "fit_many",
    "initialise",
    "run_each",
]
