"""Recipes, the training loop and its checkpoints; several runs at once."""

from offramp.train.distil import Distillation
from offramp.train.evaluate import Accuracies, evaluate
from offramp.train.finetune import Finetuned, finetune_for_codec
from offramp.train.finetune_integers import finetune_for_integers
from offramp.train.fit import fit
from offramp.train.history import Epoch, History
from offramp.train.initialise import initialise
from offramp.train.many import Job, Trained, Trainers, expected_s, fit_each, fit_many
from offramp.train.pool import Pool, Work, run_each
from offramp.train.progress import Watch
from offramp.train.recipe import RECIPES, Recipe
from offramp.train.samples import Samples
from offramp.train.teacher import Teacher, teacher_job, train_teacher

__all__ = [
    "RECIPES",
    "Accuracies",
    "Distillation",
    "Epoch",
    "Finetuned",
    "History",
    "Job",
    "Pool",
    "Recipe",
    "Samples",
    "Teacher",
    "Trained",
    "Trainers",
    "Watch",
    "Work",
    "evaluate",
    "expected_s",
    "finetune_for_codec",
    "finetune_for_integers",
    "fit",
    "fit_each",
    "fit_many",
    "initialise",
    "run_each",
    "teacher_job",
    "train_teacher",
]
