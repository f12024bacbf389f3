"""The trained network that the exporter is held against, for the smallest chip. Imports Torch."""

from dataclasses import replace

from offramp.bundle import Bundle
from offramp.data import Dataset
from offramp.plan.judgement import quantised
from offramp.system import AUTO
from offramp.system.design import Design
from offramp.system.training import train_bundle
from offramp.train import RECIPES

# 2,050 parameters in head and exit for MNIST, as many as an ATmega328P has bytes of RAM.
DESIGN = Design(neurons=(AUTO, 40, 256, AUTO), out_degrees=(2, None, None), block=(4, 2), cut=1, codec="int8")
RECIPE = replace(RECIPES["cosine"], epochs=30)


def trained(dataset: Dataset, *, seed: int = 0) -> Bundle:
    """The network, quantised."""
    bundle, _ = train_bundle(dataset.name, dataset, DESIGN, RECIPE, seed=seed, progress=False)
    return quantised(bundle, *dataset.split("calibration")).bundle
