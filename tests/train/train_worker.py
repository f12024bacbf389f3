"""A run to be killed: python train_worker.py FOLDER autograd|fused; see test_resume.py.

Writes final.safetensors and history.json into FOLDER when it ends.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.nn import MLP, split_midpoint
from offramp.train import RECIPES, fit


def main(folder: Path, step: str) -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    splits = {
        name: np.arange(start, start + 500)
        for start, name in zip(
            range(0, 2000, 500), ("train", "validation", "calibration", "test"), strict=True
        )
    }
    classes = ("a", "b", "c", "d")
    x, y = rng.integers(0, 255, (2000, 64)).astype(np.uint8), rng.integers(0, 4, 2000)
    model = split_midpoint(MLP([64, 96, 48, 4], [12, 8, 4], pattern="block", block=(2, 4)))
    if step == "autograd":
        model.head.append(nn.Dropout(0.1))
    history = fit(
        model,
        Dataset("noise", x, y, classes, splits),
        dataclasses.replace(RECIPES["cosine"], epochs=30 if step == "autograd" else 90, batch_size=32),
        preprocessing=Preprocessing((64,), "uint8", scale=1 / 255),
        checkpoint=folder,
        checkpoint_every_steps=3,
    )
    assert history.fused == (step == "fused")
    save_file(model.state_dict(), folder / "final.safetensors")
    (folder / "history.json").write_text(history.to_json())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
