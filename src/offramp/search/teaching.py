"""Whom the candidates of a search learn from."""

import logging
from dataclasses import replace
from pathlib import Path

from offramp.data import Dataset
from offramp.search.settings import Settings
from offramp.train import RECIPES, Distillation, Teacher, train_teacher
from offramp.train.distil import Float32Array
from offramp.train.threads import torch_threads

logger = logging.getLogger(__name__)


class Teaching:
    """The teacher of a search, trained when it is first asked, and what it says.

    Args:
        teacher: None to train that of `train_teacher`.
        checkpoint: folder in which that one is kept.
    """

    def __init__(
        self, dataset: Dataset, settings: Settings, teacher: Teacher | None, checkpoint: Path | None
    ) -> None:
        self._dataset, self._settings = dataset, settings
        self._teacher, self._checkpoint = teacher, checkpoint
        self._said: dict[float, Distillation] = {}

    def distillation(self, weight: float) -> Distillation | None:
        """What a candidate learns by beside the labels; None for nothing."""
        if weight == 0:
            return None
        if weight not in self._said:
            temperature = self._settings.temperature
            scores = self._scores()
            self._said[weight] = Distillation(scores=scores, weight=weight, temperature=temperature)
        return self._said[weight]

    def _scores(self) -> Float32Array:
        for said in self._said.values():
            return said.scores
        recipe = replace(RECIPES[self._settings.recipe], batch_size=self._settings.batch_size)
        if self._teacher is None:
            logger.info("the teacher of the networks that learn from one is trained first")
            with torch_threads(1):  # the same bits wherever the search goes on
                self._teacher, history = train_teacher(
                    self._dataset,
                    recipe,
                    seed=self._settings.seed,
                    checkpoint=self._checkpoint,
                    progress=False,
                )
            accuracy = history.epochs[-1].tail_accuracy
            logger.info("teacher: %.1f s, validation accuracy %.2f%%", history.seconds, 100 * accuracy)
        return self._teacher.scores(self._dataset, recipe)
