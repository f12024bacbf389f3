"""Training: what it reads, what decides it, what it keeps."""

import copy
import dataclasses
import json
import math
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError, DataError
from offramp.nn import MLP, SparseLinear, SplitModel, split_midpoint
from offramp.train import RECIPES, Accuracies, Epoch, Recipe, Watch, evaluate, fit
from offramp.train import checkpoint as checkpoints

RECIPE = dataclasses.replace(RECIPES["cosine"], epochs=3, batch_size=16)
PAPER = dataclasses.replace(RECIPES["paper"], epochs=3, batch_size=16)


def _model(seed: int = 0) -> SplitModel:
    return split_midpoint(MLP([16, 24, 24, 4], [6, 6, 4], seed=seed))


def _weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def _equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", ["paper", "cosine"])
def test_it_learns(blobs: Dataset, preprocessing: Preprocessing, name: str) -> None:
    model = _model()
    recipe = dataclasses.replace(RECIPES[name], epochs=40, batch_size=16)
    history = fit(model, blobs, recipe, preprocessing=preprocessing)
    x, y = blobs.split("test")
    accuracies = evaluate(model, preprocessing(x), y)
    assert accuracies.tail > 0.95
    assert accuracies.exit is not None
    assert accuracies.exit > 0.95
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss / 3
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, 41))


def test_a_model_without_exit_is_trained_on_its_scores(blobs: Dataset, preprocessing: Preprocessing) -> None:
    history = fit(MLP([16, 24, 4], [6, 4]), blobs, RECIPE, preprocessing=preprocessing)
    assert [epoch.exit_accuracy for epoch in history.epochs] == [None] * 3


def test_the_history_is_measured_on_the_validation_split(
    blobs: Dataset, preprocessing: Preprocessing
) -> None:
    model = _model()
    last = fit(model, blobs, RECIPE, preprocessing=preprocessing).epochs[-1]
    x, y = blobs.split("validation")
    assert Accuracies(last.exit_accuracy, last.tail_accuracy) == evaluate(model, preprocessing(x), y)
    assert last.learning_rate == RECIPE.learning_rate_at(20, n_steps=21)
    assert last.seconds > 0


class _Watched(Dataset):
    """Notes the splits that are read."""

    read: set[str]

    def split(self, name: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        self.read.add(name)
        return super().split(name)


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [(RECIPE, {"train", "validation"}), (PAPER, {"train", "validation", "calibration"})],
    ids=["cosine", "paper"],
)
def test_the_test_split_is_never_read(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path, recipe: Recipe, expected: set[str]
) -> None:
    fields = {field.name: getattr(blobs, field.name) for field in dataclasses.fields(Dataset)}
    watched = _Watched(**fields)
    object.__setattr__(watched, "read", set())
    fit(_model(), watched, recipe, preprocessing=preprocessing, checkpoint=tmp_path)
    assert watched.read == expected


@pytest.mark.parametrize(
    ("recipe", "n_samples"), [(RECIPE, 100), (PAPER, 180)], ids=["train split", "everything"]
)
def test_every_sample_is_used_once_an_epoch_in_another_order(
    blobs: Dataset, preprocessing: Preprocessing, recipe: Recipe, n_samples: int
) -> None:
    model, batches = _model(), []
    model.head.register_forward_pre_hook(
        lambda module, args: batches.append(args[0]) if module.training else None
    )
    fit(model, blobs, recipe, preprocessing=preprocessing)
    per_epoch = math.ceil(n_samples / 16)
    assert [len(batch) for batch in batches] == 3 * ([16] * (per_epoch - 1) + [n_samples % 16])
    epochs = [torch.cat(batches[i * per_epoch : (i + 1) * per_epoch]) for i in range(3)]
    names = ("train", "validation", "calibration")[: 1 if recipe is RECIPE else 3]
    expected = sorted(preprocessing(np.concatenate([blobs.split(name)[0] for name in names])).tolist())
    assert [sorted(epoch.tolist()) for epoch in epochs] == [expected] * 3
    assert not torch.equal(epochs[0], epochs[1])


def test_the_seed_decides_everything_and_torchs_generator_nothing(
    blobs: Dataset, preprocessing: Preprocessing
) -> None:
    start = _model()

    def trained(seed: int, **options: Any) -> tuple[list[Tensor], list[float]]:
        model = copy.deepcopy(start)
        before = torch.get_rng_state()
        history = fit(model, blobs, RECIPE, preprocessing=preprocessing, seed=seed, **options)
        assert torch.equal(torch.get_rng_state(), before)
        return _weights(model), [epoch.train_loss for epoch in history.epochs]

    torch.manual_seed(1)
    one = trained(5)
    torch.manual_seed(2)
    same, other = trained(5), trained(6)
    assert _equal(one[0], same[0])
    assert one[1] == same[1]
    assert not _equal(one[0], other[0])
    # The order of the samples too.
    assert not _equal(trained(5, initialise=False)[0], trained(6, initialise=False)[0])


def test_the_joint_loss_weighs_the_exit(blobs: Dataset, preprocessing: Preprocessing) -> None:
    model = _model()
    first = copy.deepcopy(model)
    recipe = dataclasses.replace(RECIPE, epochs=1, batch_size=100, learning_rate=1e-30, exit_weight=0.25)
    loss = fit(model, blobs, recipe, preprocessing=preprocessing, initialise=False).epochs[0].train_loss
    x, y = blobs.split("train")
    exit_scores, tail_scores = first(torch.from_numpy(preprocessing(x)))
    labels = torch.from_numpy(y)
    expected = (
        nn.functional.cross_entropy(tail_scores, labels)
        + nn.functional.cross_entropy(exit_scores, labels) / 4
    )
    assert loss == pytest.approx(expected.item(), rel=1e-5)

    silent = dataclasses.replace(RECIPE, exit_weight=0.0)
    model = copy.deepcopy(first)
    fit(model, blobs, silent, preprocessing=preprocessing, initialise=False)
    assert _equal(_weights(model.exit), _weights(first.exit))
    assert not _equal(_weights(model.tail), _weights(first.tail))


def test_training_can_go_on_from_given_weights_and_leave_frozen_ones(
    blobs: Dataset, preprocessing: Preprocessing
) -> None:
    model = _model()
    model.head.requires_grad_(False)
    before = copy.deepcopy(model)
    fit(model, blobs, RECIPE, preprocessing=preprocessing, initialise=False)
    assert _equal(_weights(model.head), _weights(before.head))
    assert not _equal(_weights(model.exit), _weights(before.exit))
    with pytest.raises(
        ConfigError, match="no parameter of the model requires a gradient; unfreeze what is to be"
    ):
        fit(model.requires_grad_(False), blobs, RECIPE, preprocessing=preprocessing)


def test_a_loss_that_is_not_finite_stops_at_once_and_keeps_the_last_checkpoint(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, learning_rate=1e30, schedule="inverse_time")
    text = r"the loss became (nan|inf) in epoch 1, batch \d, at learning rate 1e\+30; use a smaller"
    with pytest.raises(ConfigError, match=text):
        fit(_model(), blobs, recipe, preprocessing=preprocessing, checkpoint=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_callback_sees_every_epoch(blobs: Dataset, preprocessing: Preprocessing) -> None:
    seen: list[Epoch] = []
    history = fit(_model(), blobs, RECIPE, preprocessing=preprocessing, progress=seen.append)
    assert tuple(seen) == history.epochs


class _StopError(Exception):
    pass


class _Notes(Watch):
    """Writes down what it is told, and stops a run after so many steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.told: list[Any] = []
        self._stop_after = stop_after

    def begin(self, *, n_done: int, n_steps: int, fused: bool) -> None:
        self.told.append(("begin", n_done, n_steps, fused))

    def step(self, n_done: int, loss: float) -> None:
        assert math.isfinite(loss)
        self.told.append(n_done)
        if n_done == self._stop_after:
            raise _StopError

    def epoch(self, epoch: Epoch) -> None:
        self.told.append(epoch)

    def end(self) -> None:
        self.told.append("end")


def test_a_watch_is_told_of_every_step(blobs: Dataset, preprocessing: Preprocessing) -> None:
    notes = _Notes()
    first, second, third = fit(_model(), blobs, RECIPE, preprocessing=preprocessing, progress=notes).epochs
    epochs = [*range(1, 8), first, *range(8, 15), second, *range(15, 22), third]
    assert notes.told == [("begin", 0, 21, True), *epochs, "end"]


@pytest.mark.parametrize("stop_after", [9, 14], ids=["inside an epoch", "after its last step"])
def test_what_a_watch_stops_is_saved_to_the_step(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path, stop_after: int
) -> None:
    whole, stopped = _model(), _model()
    expected = fit(whole, blobs, RECIPE, preprocessing=preprocessing)
    notes = _Notes(stop_after)
    settings: Any = {"preprocessing": preprocessing, "checkpoint": tmp_path}
    with pytest.raises(_StopError):
        fit(stopped, blobs, RECIPE, **settings, progress=notes)
    assert notes.told[-1] == "end"
    rest = _Notes()
    history = fit(_model(), blobs, RECIPE, **settings, progress=rest)
    assert rest.told[0] == ("begin", stop_after, 21, True)
    assert _losses(history) == _losses(expected)
    final = _model()
    fit(final, blobs, RECIPE, **settings)
    assert _equal(_weights(final), _weights(whole))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (
            MLP([15, 4]),
            "the model does not take the 16 features that the preprocessing gives: mat1 .*; build it for",
        ),
        (
            MLP([20, 10, 4], [5, 4]),
            "does not take the 16 features that the preprocessing gives: input has shape",
        ),
        (MLP([16, 3]), r"for one sample the model gives \[\(1, 3\)\], 4 classes need \(1, 4\), once or as"),
        (
            SplitModel(nn.Identity(), nn.Linear(16, 4), nn.Linear(16, 5)),
            r"for one sample the model gives \[\(1, 4\), \(1, 5\)\], 4 classes need",
        ),
    ],
    ids=["dense width", "sparse width", "scores", "tail scores"],
)
def test_a_model_that_does_not_fit_the_data_is_refused(
    blobs: Dataset, preprocessing: Preprocessing, model: nn.Module, text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        fit(model, blobs, RECIPE, preprocessing=preprocessing)
    assert model.training


def test_a_model_on_another_device_is_refused(blobs: Dataset, preprocessing: Preprocessing) -> None:
    with pytest.raises(
        ConfigError, match=r"the model is on meta; fit trains on the CPU: move it with \.cpu\(\)"
    ):
        fit(MLP([8, 4, 3]).to("meta"), blobs, RECIPES["cosine"], preprocessing=preprocessing)


def test_a_negative_seed_is_refused(blobs: Dataset, preprocessing: Preprocessing) -> None:
    with pytest.raises(ConfigError, match="seed=-1 must be 0 or more"):
        fit(_model(), blobs, RECIPE, preprocessing=preprocessing, seed=-1)


# --- Checkpoints ------------------------------------------------------------------------------------------


def _story(folder: Path) -> Any:
    """The JSON of a checkpoint, read without our own reader."""
    content = (folder / "checkpoint.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["story"])


def _other_activation() -> SplitModel:
    model = _model()
    model.head[1] = nn.Tanh()
    return model


def _losses(history: Any) -> list[tuple[Any, ...]]:
    return [
        (e.epoch, e.train_loss, e.exit_accuracy, e.tail_accuracy, e.learning_rate) for e in history.epochs
    ]


@pytest.mark.parametrize(
    ("every", "first_save"),
    [({}, None), ({"steps": 1}, 4), ({"steps": 3}, 3), ({"s": 0.0}, 4)],
    ids=["every epoch", "every step", "every third step", "at once"],
)
def test_an_interrupted_run_ends_with_the_same_bits(
    blobs: Dataset,
    preprocessing: Preprocessing,
    tmp_path: Path,
    every: Mapping[str, Any],
    first_save: int | None,
) -> None:
    def fresh() -> nn.Module:  # dropout draws from Torch's generator, whose state must come back too
        model = _model()
        model.head.append(nn.Dropout(0.2))
        return model

    whole = fresh()
    expected = fit(whole, blobs, RECIPE, preprocessing=preprocessing)

    def interrupted_after(n_batches: int) -> Any:
        model, n = fresh(), 0

        def count(module: nn.Module, _: Any) -> None:
            nonlocal n
            n += module.training
            if n > n_batches:
                raise _StopError

        model.head.register_forward_pre_hook(count)
        return fit(
            model,
            blobs,
            RECIPE,
            preprocessing=preprocessing,
            checkpoint=tmp_path,
            **{f"checkpoint_every_{unit}": value for unit, value in every.items()},
        ), model

    with pytest.raises(_StopError):
        interrupted_after(4)
    assert (_story(tmp_path)["progress"]["batch"] if list(tmp_path.iterdir()) else None) == first_save
    for n_batches in (7, 9):
        with pytest.raises(_StopError):
            interrupted_after(n_batches)
    history, model = interrupted_after(1000)
    assert _equal(_weights(model), _weights(whole))
    assert _losses(history) == _losses(expected)


@pytest.mark.parametrize(("every_s", "saved_after"), [(60, [1, 3]), (0, [1, 2, 3])], ids=["rarely", "always"])
def test_quick_epochs_are_not_all_saved(
    blobs: Dataset,
    preprocessing: Preprocessing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every_s: float,
    saved_after: list[int],
) -> None:
    monkeypatch.setattr("offramp.train.run.EPOCHS_EVERY_S", every_s)
    seen: list[int] = []
    monkeypatch.setattr(checkpoints, "save", lambda _, saved: seen.append(len(saved.progress["epochs"])))
    fit(_model(), blobs, RECIPE, preprocessing=preprocessing, checkpoint=tmp_path)
    assert seen == saved_after


def test_a_finished_run_returns_at_once(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model()
    history = fit(model, blobs, RECIPE, preprocessing=preprocessing, checkpoint=str(tmp_path))
    again = _model()
    monkeypatch.setattr(Preprocessing, "__call__", lambda *_: pytest.fail("a finished run prepares nothing"))
    assert fit(again, blobs, RECIPE, preprocessing=preprocessing, checkpoint=str(tmp_path)) == history
    assert _equal(_weights(again), _weights(model))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 1}, "seed=0, this run has seed=1"),
        (
            {"recipe": dataclasses.replace(RECIPE, epochs=4)},
            r"recipe\.epochs=3, this run has recipe\.epochs=4",
        ),
        ({"model": _model(seed=1)}, "model=.*, this run has model="),
        ({"model": MLP([16, 24, 4])}, "model=.*, this run has model="),
        ({"model": _other_activation()}, "model=.*, this run has model="),
        ({"preprocessing": Preprocessing((4, 4), "uint8")}, r"preprocessing\.scale=.*, this run has"),
        ({"initialise": False}, "first_weights=by the recipe, this run has first_weights="),
        ({"dataset": "other"}, "data=.*, this run has data="),
    ],
    ids=["seed", "recipe", "pattern", "network", "activation", "preprocessing", "first weights", "data"],
)
def test_the_checkpoint_of_another_run_is_refused(
    blobs: Dataset,
    other_blobs: Dataset,
    preprocessing: Preprocessing,
    tmp_path: Path,
    change: Mapping[str, Any],
    text: str,
) -> None:
    run = {
        "model": _model(),
        "dataset": blobs,
        "recipe": RECIPE,
        "preprocessing": preprocessing,
        "checkpoint": tmp_path,
    }
    fit(**run)  # type: ignore[arg-type]
    if "dataset" in change:
        change = {"dataset": other_blobs}
    model = change.get("model", _model())
    before = _weights(model)
    with pytest.raises(ConfigError, match=f"is of a run with {text}"):
        fit(**{**run, "model": model, **change})  # type: ignore[arg-type]
    assert _equal(_weights(model), before)


def test_a_damaged_checkpoint_is_refused(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path
) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(
        DataError, match=r"checkpoint\.safetensors cannot be read: .*; delete it to start afresh"
    ):
        fit(_model(), blobs, RECIPE, preprocessing=preprocessing, checkpoint=tmp_path)


# --- Only the edges ---------------------------------------------------------------------------------------


class _Largest(torch.utils._python_dispatch.TorchDispatchMode):
    """The number of elements of the largest tensor that any operator gave."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, Tensor):
                self.elements = max(self.elements, value.numel())
        return result


@pytest.mark.parametrize("fused", [False, True], ids=["autograd", "fused"])
def test_training_and_its_checkpoint_hold_only_the_edges(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path, fused: bool
) -> None:
    width, out_degree = 8192, 4
    model = nn.Sequential(
        nn.Linear(16, width),
        SparseLinear(width, width, out_degree=out_degree),
        nn.ReLU(),
        nn.Linear(width, 4),
    )
    n_edges = width * out_degree
    n_parameters = (16 * width + width) + (n_edges + width) + (width * 4 + 4)
    assert sum(p.numel() for p in model.parameters()) == n_parameters

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    recipe = dataclasses.replace(RECIPE, epochs=1)
    with _Largest() as largest:
        fit(model, blobs, recipe, preprocessing=preprocessing, checkpoint=tmp_path, fused=fused)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024

    dense = width * width
    assert largest.elements < dense / 100
    assert grown < 4 * dense  # a dense weight alone, without its gradient or Adam's two moments
    n_gradients = sum(p.grad.numel() for p in model.parameters() if p.grad is not None)
    assert n_gradients == (0 if fused else n_parameters)  # the native step keeps none

    stored = checkpoints.load(tmp_path, _story(tmp_path)["identity"])
    assert stored is not None
    count = dict.fromkeys(("model", "adam", "random"), 0)
    for name, tensor in stored.tensors.items():
        count[name.split(".")[0]] += tensor.numel()
    assert count["model"] == n_parameters + n_edges  # the table: one number an edge
    assert (
        count["adam"] == 2 * n_parameters + 6
    )  # two moments each, and a step counter for each of six tensors
    assert (tmp_path / "checkpoint.safetensors").stat().st_size < 4 * (4 * n_parameters + n_edges)
