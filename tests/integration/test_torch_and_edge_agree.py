"""One trained network, evaluated by Torch, by the edge alone, and by edge and tail over a real wire."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from offramp.bundle import Bundle, read, write
from offramp.cli.tail_process import tail_process
from offramp.data import Dataset, load, preprocessing_for
from offramp.exits import ExitRule, max_softmax
from offramp.nn import MLP, SplitModel, split_midpoint, to_parts
from offramp.runtime import Edge
from offramp.train import RECIPES, fit

N_SAMPLES = 60


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> SplitModel:
    mlp = MLP([64, 32, 40, 10], [8, 10, 10], pattern="block", block=(4, 4))
    model = split_midpoint(mlp, exit_hidden=[16])
    recipe = replace(RECIPES["cosine"], epochs=2, batch_size=64)
    fit(model, dataset, recipe, preprocessing=preprocessing_for(dataset), progress=False)
    return model.eval()


@pytest.fixture(scope="module")
def path(dataset: Dataset, model: SplitModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "digits"
    exit_scores, _ = torch_scores(model, dataset, dataset.split("test")[0][:N_SAMPLES])
    rule = ExitRule(float(np.median(max_softmax(exit_scores))))  # so that about half of them exit
    parts = to_parts(model)
    write(Bundle("digits", preprocessing_for(dataset), dataset.classes, **parts, exit_rule=rule), path)
    return path


@pytest.fixture(scope="module")
def tail(path: Path) -> Iterator[str]:
    """The address of the tail, served by a process of its own."""
    with tail_process(path) as (host, port):
        yield f"{host}:{port}"


def torch_scores(model: SplitModel, dataset: Dataset, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with torch.inference_mode():
        exit_scores, tail_scores = model(torch.from_numpy(preprocessing_for(dataset)(samples)))
    return exit_scores.numpy(), tail_scores.numpy()


@pytest.mark.parametrize("mode", ["local", "remote", "split", "split+exit"])
def test_every_mode_gives_the_scores_that_torch_gives(
    mode: str, dataset: Dataset, model: SplitModel, path: Path, tail: str
) -> None:
    samples = dataset.split("test")[0][:N_SAMPLES]
    exit_scores, tail_scores = torch_scores(model, dataset, samples)
    with Edge(read(path), tail=tail, mode=mode, deadline_s=20) as edge:
        assert edge.connect(20)
        answers = [edge.infer(sample) for sample in samples]

    sources = {answer.source for answer in answers}
    assert sources == {"local": {"local"}, "split+exit": {"exit", "tail"}}.get(mode, {"tail"})
    for answer, at_exit, at_tail in zip(answers, exit_scores, tail_scores, strict=True):
        want = at_exit if answer.source == "exit" else at_tail
        np.testing.assert_allclose(answer.scores, want, atol=1e-4)
