"""One's own data and network: a sparse head on the device, any Torch module as the tail on the server.

Run it: python examples/own_model.py
"""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from offramp.bundle import Bundle, read, write
from offramp.data import Dataset, load, preprocessing_for
from offramp.exits import ExitRule
from offramp.exits.guarantee import Outcomes, empirical_threshold
from offramp.nn import Exit, SparseLinear, SplitModel, to_part
from offramp.runtime import Edge, TailServer, models_of
from offramp.train import RECIPES, fit

N_SENSORS, N_FEATURES, N_CLASSES = 48, 16, 3


def write_readings(path: Path) -> None:
    """Stands for one's own data: x (N, *shape) and y (N,) in a NumPy archive."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=1500)
    waves = np.sin(np.linspace(0, 6, N_SENSORS) * (1 + y[:, None]))
    x = waves + rng.normal(scale=1.8, size=waves.shape)
    np.savez(path, x=x.astype(np.float32), y=np.array(["idle", "turning", "blocked"])[y])


class OwnTail(nn.Module):
    """Any Torch module will do: the server calls it on arrays and asks no more."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(N_FEATURES, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, N_CLASSES)
        )

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.layers(features)
        return scores


def train(dataset: Dataset) -> tuple[Bundle, OwnTail]:
    """What the device needs, as a bundle, and the tail as it is."""
    sparse = SparseLinear(N_SENSORS, N_FEATURES, out_degree=4, pattern="block", block=(4, 4))
    head, tail = nn.Sequential(sparse, nn.ReLU()), OwnTail()
    model = SplitModel(head, Exit(N_FEATURES, N_CLASSES), tail)
    preprocessing = preprocessing_for(dataset)
    history = fit(
        model, dataset, replace(RECIPES["cosine"], epochs=20, batch_size=64), preprocessing=preprocessing
    )

    raw, labels = dataset.split("calibration")
    with torch.inference_mode():
        exit_scores, tail_scores = model.eval()(torch.from_numpy(preprocessing(raw)))
    outcomes = Outcomes.of_one_exit(exit_scores, tail_scores, labels)
    threshold, evidence = empirical_threshold(outcomes, max_accuracy_drop=0.01)

    bundle = Bundle(
        name="machine",
        preprocessing=preprocessing,
        classes=dataset.classes,
        head=to_part(model.head, name="head"),
        exit=to_part(model.exit, name="exit"),
        tail=None,  # it stays in Torch
        exit_rule=ExitRule(threshold, evidence=evidence),
        training={"accuracy": history.epochs[-1].tail_accuracy},
    )
    return bundle, tail


async def serve_and_ask(bundle: Bundle, tail: OwnTail, dataset: Dataset) -> None:
    """Server and device in one program for once; `offramp.runtime.serve` is the server by itself."""

    def scores(features: np.ndarray) -> np.ndarray:  # (batch, N_FEATURES) -> (batch, N_CLASSES)
        with torch.inference_mode():
            return tail(torch.from_numpy(features)).numpy()

    async with TailServer(models_of(bundle, tail=scores)) as server:
        await asyncio.to_thread(ask, bundle, f"127.0.0.1:{server.port}", dataset)


def ask(bundle: Bundle, address: str, dataset: Dataset) -> None:
    """The device: answers alone where the exit is sure, asks the tail otherwise."""
    x, y = dataset.split("test")
    with Edge(bundle, tail=address, deadline_s=2.0) as edge:
        edge.connect()
        answers = [edge.infer(sample) for sample in x]
    n_right = sum(answer.label == label for answer, label in zip(answers, y, strict=True))
    n_asked = sum(answer.source == "tail" for answer in answers)
    n_bytes = sum(answer.payload_bytes for answer in answers)
    print(f"{n_right} of {len(y)} right; the tail was asked {n_asked} times, with {n_bytes} bytes in all")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_readings(Path(folder, "machine.npz"))
        dataset = load(Path(folder, "machine.npz"))
        bundle, tail = train(dataset)
        write(bundle, Path(folder, "machine.bundle"))
        on_the_device = read(Path(folder, "machine.bundle"), parts=("head", "exit"))
        asyncio.run(serve_and_ask(on_the_device, tail.eval(), dataset))


if __name__ == "__main__":
    main()
