"""What is trained one after the other: everything at once, or the backbone before its exits."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam

from offramp.nn import SplitModel
from offramp.train.adam import AdamState
from offramp.train.losses import self_taught
from offramp.train.recipe import Phase, Recipe
from offramp.train.step import AutogradStep, FusedStep, Step, is_faster, qualifies

Lesson = tuple[Tensor, Tensor]  # features (n, n_features); labels (n,) or shares (n, n_classes)
TakeStep = Callable[[Tensor], float]  # trains on the samples of these numbers, gives their loss before

_BATCH = 2048


@dataclass(frozen=True, eq=False)
class Stage:
    """Some of a run's epochs, in which the same parameters learn the same thing.

    Args:
        first: epochs before it.
        modules: what learns, each from inputs of its own: several only where exits learn alone.
        fused: whether they take the native step.
    """

    phase: Phase
    first: int
    n_epochs: int
    model: nn.Module
    modules: tuple[nn.Module, ...]
    recipe: Recipe
    fused: bool

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        found = (p for module in self.modules for p in module.parameters() if p.requires_grad)
        return list(dict.fromkeys(found))

    def optimizer(self) -> Adam | AdamState:
        """A fresh one."""
        lr = self.recipe.learning_rate
        if self.fused:
            return AdamState(self.parameters, lr=lr)
        return Adam(self.parameters, lr=lr, fused=True)

    def steps(self, optimizer: Adam | AdamState, train: Lesson) -> TakeStep:
        """How a batch is trained on.

        Args:
            train: all samples; where exits learn alone, what they read of them is computed here, once.
        """
        steps = [self._step(module, optimizer) for module in self.modules]
        if self.phase != "exits":
            (step,) = steps
            return lambda rows: step(*train, rows)
        read, targets = self._exit_lesson(train)
        exits = list(zip(steps, read, strict=True))
        return lambda rows: sum(step(features, targets, rows) for step, features in exits)

    def _step(self, module: nn.Module, optimizer: Adam | AdamState) -> Step:
        weight = self.recipe.exit_weight
        if isinstance(optimizer, AdamState):
            return FusedStep(module, optimizer, exit_weight=weight)
        return AutogradStep(
            module,
            optimizer,
            exit_weight=weight,
            self_distillation=self.recipe.self_distillation,
            temperature=self.recipe.temperature,
        )

    def _exit_lesson(self, train: Lesson) -> tuple[list[Tensor], Tensor]:
        """What each exit reads of all samples, and their targets: the backbone changes no more."""
        x, targets = train
        read, tail_scores = _at_exits(self.model, x)
        if weight := self.recipe.self_distillation:
            temperature = self.recipe.temperature
            targets = self_taught(targets, tail_scores, weight=weight, temperature=temperature)
        return read, targets


def stages(model: nn.Module, recipe: Recipe, *, fused: bool = True) -> tuple[Stage, ...]:
    """What the recipe wants of this model, in order.

    Args:
        fused: False always takes autograd.
    """
    phases = recipe.phases if isinstance(model, SplitModel) else (("joint", recipe.epochs),)
    made, first = [], 0
    for phase, n_epochs in phases:
        modules = _modules(model, phase)
        natively = fused and all(_fits_natively(module, recipe) for module in modules)
        made.append(Stage(phase, first, n_epochs, model, modules, recipe, natively))
        first += n_epochs
    return tuple(made)


def _modules(model: nn.Module, phase: Phase) -> tuple[nn.Module, ...]:
    if phase == "joint":
        return (model,)
    assert isinstance(model, SplitModel)
    return (model.backbone(),) if phase == "backbone" else tuple(model.exits.values())


def _fits_natively(module: nn.Module, recipe: Recipe) -> bool:
    if isinstance(module, SplitModel) and recipe.self_distillation:
        return False  # the native step has the same targets for exit and tail
    return qualifies(module) and is_faster(module, batch_size=recipe.batch_size)


def _at_exits(model: nn.Module, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """What each exit reads of these samples, and the tail's scores."""
    assert isinstance(model, SplitModel)
    was_training = model.training
    model.eval()
    read: list[Tensor] = []
    scores: list[Tensor] = []
    try:
        with torch.no_grad():
            for first in range(0, len(x), _BATCH):
                some, tail = model.at_exits(x[first : first + _BATCH])
                read = read or [part.new_empty(len(x), *part.shape[1:]) for part in some]
                for whole, part in zip(read, some, strict=True):
                    whole[first : first + len(part)] = part
                scores.append(tail)
    finally:
        model.train(was_training)
    return read, torch.cat(scores)
