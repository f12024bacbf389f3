"""What workers are given to do in test_pool.py and test_many.py; a module, so that they find it."""

import logging
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import MLP
from offramp.train import RECIPES, Watch, fit


class Shared:
    """Counts how often it travelled into this process."""

    n_arrivals = 0

    def __init__(self, content: str) -> None:
        self.content = content

    def __setstate__(self, state: dict[str, Any]) -> None:
        Shared.n_arrivals += 1
        self.__dict__.update(state)


def look_around(shared: Shared, watch: Watch) -> tuple[int, int, int, str]:
    """Process, arrivals of what is shared, Torch's threads, what was shared."""
    print("not for standard output")  # noqa: T201
    logging.getLogger("offramp.train").info("looks around")
    return os.getpid(), Shared.n_arrivals, torch.get_num_threads(), shared.content


class OwnError(Exception):
    """Cannot be pickled: it needs two arguments, and gives its base one."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


def refuse(shared: object, watch: Watch) -> None:
    raise ConfigError("width=3 is odd")


def fail(shared: object, watch: Watch) -> None:
    raise OwnError("this", "that")


def unpicklable(shared: object, watch: Watch) -> Any:
    return lambda: None


def sleep(shared: object, watch: Watch) -> None:
    """Be deaf for a while."""
    time.sleep(60)


def die(shared: object, watch: Watch) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_for_ever(folder: Path, blobs: Dataset, watch: Watch) -> None:
    folder.mkdir()
    preprocessing = Preprocessing((4, 4), "uint8", scale=1 / 255)
    recipe = replace(RECIPES["cosine"], epochs=10**6, batch_size=10)
    fit(MLP([16, 8, 4]), blobs, recipe, preprocessing=preprocessing, checkpoint=folder, progress=watch)


def fail_beside(folder: Path, shared: object, watch: Watch) -> None:
    """Fail when the other work has got going."""
    deadline = time.monotonic() + 60
    while not folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    fail(shared, watch)


def net() -> nn.Module:
    """A model whose first weights need Torch's generator, and of a kind that trains by autograd."""
    return nn.Sequential(nn.Linear(16, 8), nn.Tanh(), Shift(), nn.Linear(8, 4))


class Shift(nn.Module):
    """Keeps the first weights that it is built with: the recipe does not know it."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.shift
