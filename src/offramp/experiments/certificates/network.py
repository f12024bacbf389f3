"""A small split network whose exit errs often enough to be worth a certificate."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from offramp.data import Dataset
from offramp.exits.guarantee import Outcomes
from offramp.plan.judgement import judged
from offramp.system import AUTO
from offramp.system.design import Design
from offramp.system.training import train_bundle
from offramp.train import RECIPES

# 3,650 parameters in head and exit for MNIST; the tail is larger, so that there is something to lose.
DESIGN = Design(neurons=(AUTO, 40, 200, AUTO), out_degrees=(4, None, None), cut=1)
RECIPE = replace(RECIPES["cosine"], epochs=20)


@dataclass(frozen=True, eq=False)
class Judged:
    """What a network said to samples that it was never trained on.

    Args:
        outcomes: of all calibration and test samples, with labels.
        edge_parameters: of head and exit.
        record: of network, training and data, as JSON values.
    """

    outcomes: Outcomes
    edge_parameters: int
    record: dict[str, Any]

    @property
    def exit_accuracy(self) -> float:
        """Of the exit alone, on all samples."""
        return float(np.mean(self.outcomes.exit_labels[0] == self.outcomes.labels))

    @property
    def tail_accuracy(self) -> float:
        """Of the tail."""
        return float(np.mean(self.outcomes.tail_labels == self.outcomes.labels))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return self.record | {
            "edge_parameters": self.edge_parameters,
            "exit_accuracy": self.exit_accuracy,
            "tail_accuracy": self.tail_accuracy,
            "samples": self.outcomes.n,
        }


def judged_network(dataset: Dataset, *, seed: int, checkpoint: Path, progress: bool = True) -> Judged:
    """Train the network, or take it from its checkpoint, and hear it on the calibration and test splits.

    Args:
        checkpoint: folder of this training; called again, it goes on there.
    """
    bundle, history = train_bundle(
        "certified", dataset, DESIGN, RECIPE, seed=seed, checkpoint=checkpoint, progress=progress
    )
    raws, labels = zip(*(dataset.split(name) for name in ("calibration", "test")), strict=True)
    outcomes = judged(bundle, np.concatenate(raws), np.concatenate(labels))
    edge = bundle.parts["head"].n_parameters + bundle.parts["exit"].n_parameters
    record = {
        "data": dataset.name,
        "data_digest": {name: dataset.digest(name) for name in ("train", "calibration", "test")},
        "neurons": [bundle.parts["head"].n_in, *DESIGN.neurons[1:-1], len(dataset.classes)],
        "recipe": asdict(RECIPE),
        "training_s": history.seconds,
    }
    return Judged(outcomes, edge, record)
