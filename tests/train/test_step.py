"""The native training step against Torch's autograd, and the models that it takes."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from offramp.errors import ConfigError, DataError
from offramp.kernels import available_isas
from offramp.nn import MLP, Bottleneck, SparseLinear, SplitModel, split_midpoint
from offramp.train.step import AutogradStep, FusedStep, is_faster, qualifies


def _split(neurons: list[int], out_degrees: list[int | None], **options: object) -> SplitModel:
    return split_midpoint(MLP(neurons, out_degrees, **options), exit_hidden=[12])


def _without_bias() -> nn.Sequential:
    sparse = SparseLinear(40, 24, out_degree=6, pattern="block", block=(5, 3), bias=False)
    return nn.Sequential(sparse, nn.ReLU(), nn.Linear(24, 7, bias=False))


def _with_encoder() -> SplitModel:
    bottleneck = Bottleneck(width=8, out_degrees=(4, None), pattern="block", block=(2, 2))
    return split_midpoint(MLP([64, 32, 16, 10], [8, 4, None]), exit_hidden=[12], bottleneck=bottleneck)


def _with_signed_encoder() -> SplitModel:
    return SplitModel(MLP([20, 9]), MLP([9, 4]), MLP([5, 7, 4]), encoder=nn.Linear(9, 5))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "the paper's sparse network": lambda: MLP([80, 40, 40, 10], [2, 9, 10]),
    "the paper's dense network": lambda: MLP([80, 5, 5, 10]),
    "split, blocks": lambda: _split([64, 48, 32, 10], [12, 8, None], pattern="block", block=(4, 4)),
    "split, dense": lambda: _split([30, 17, 13, 5], [None, None, None]),
    "split, affine": lambda: _split([48, 36, 10], [9, None], pattern="affine"),
    "no bias, odd blocks": _without_bias,
    "no ReLU between": lambda: nn.Sequential(nn.Linear(20, 8), nn.Linear(8, 3)),
    "ReLU at the end": lambda: nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 3), nn.ReLU()),
    "an encoder": _with_encoder,
    "an encoder of one layer, no ReLU": _with_signed_encoder,
    "one junction": lambda: SparseLinear(32, 8, out_degree=2),
}


def _width(model: nn.Module) -> int:
    return next(m.in_features for m in model.modules() if isinstance(m, SparseLinear | nn.Linear))


def _scores(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    output = model(x)
    return output[1] if isinstance(output, tuple) else output


def _steps(model: nn.Module, isa: str | None = None) -> tuple[AutogradStep, FusedStep, nn.Module]:
    """Both steps, from the same weights; and the model that the native one trains."""
    twin = copy.deepcopy(model)
    adam = {"lr": 3e-3, "fused": True}
    return (
        AutogradStep(model, torch.optim.Adam(model.parameters(), **adam), exit_weight=0.5),
        FusedStep(twin, torch.optim.Adam(twin.parameters(), **adam), exit_weight=0.5, isa=isa),
        twin,
    )


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "shares"])
@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_losses_and_weights_of_autograd_over_100_steps(name: str, isa: str, soft: bool) -> None:
    torch.manual_seed(3)
    model = MODELS[name]()
    model = model if isinstance(model, nn.Sequential | SplitModel) else nn.Sequential(model)
    assert qualifies(model)
    autograd, fused, twin = _steps(model, isa)
    x, y = torch.rand(300, _width(model)), torch.randint(0, 3, (300,))
    if soft:  # from nearly a label to nearly even
        n_classes = _scores(model, x).shape[1]
        y = torch.softmax(torch.randn(300, n_classes) * torch.logspace(-1, 2, 300)[:, None], dim=1)
    for step in range(100):
        rows = torch.randperm(300)[: (64, 1, 37, 130)[step % 4]]  # whole tiles and rests
        assert fused(x, y, rows) == pytest.approx(autograd(x, y, rows), abs=1e-5)
    for mine, theirs in zip(twin.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)


def test_either_step_goes_on_from_the_optimizer_of_the_other() -> None:
    model = MODELS["split, blocks"]()
    x, y, rows = torch.rand(90, 64), torch.randint(0, 10, (90,)), torch.arange(90)
    twin = copy.deepcopy(model)
    optimizers = [torch.optim.Adam(m.parameters(), lr=1e-2, fused=True) for m in (model, twin)]
    mixed = [
        AutogradStep(model, optimizers[0], exit_weight=1),
        FusedStep(model, optimizers[0], exit_weight=1),
    ]
    plain = AutogradStep(twin, optimizers[1], exit_weight=1)
    for step in range(20):
        assert mixed[step // 5 % 2](x, y, rows) == pytest.approx(plain(x, y, rows), abs=1e-5)


class _Doubled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def _frozen() -> nn.Module:
    model = MLP([8, 4, 3])
    next(model.parameters()).requires_grad_(False)
    return model


def _hooked() -> nn.Module:
    model = MLP([8, 4, 3])
    model[0].register_forward_hook(lambda module, inputs, output: output + 1)
    return model


def _tied() -> nn.Module:
    layer = nn.Linear(8, 8)
    return nn.Sequential(layer, nn.ReLU(), layer)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(8, 4), nn.Dropout(0.1), nn.Linear(4, 3)),
        nn.Sequential(nn.ReLU(), nn.Linear(8, 3)),
        nn.Sequential(_Doubled(8, 3)),
        nn.Sequential(),
        MLP([8, 4, 3]).double(),
        SplitModel(MLP([8, 4]), nn.Identity(), MLP([4, 3])),
        _frozen(),
        _hooked(),
        _tied(),
        split_midpoint(MLP([8, 4, 3, 3]), inner_exits={"tail-2": ()}),
        MLP([4] * 66),
    ],
    ids=[
        *("dropout", "begins with a ReLU", "a subclass", "empty", "float64"),
        *("another module", "frozen", "hooked", "tied", "inner exits", "65 layers"),
    ],
)
def test_a_model_that_it_would_compute_otherwise_does_not_qualify(model: nn.Module) -> None:
    assert not qualifies(model)


def test_much_work_for_many_threads_is_left_to_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = MLP([8, 4, 3]), MLP([512, 512, 10], [256, 10])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert is_faster(small, batch_size=256)
    assert not is_faster(large, batch_size=256)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert is_faster(MLP([512, 512, 10], [64, 10]), batch_size=256)


def test_large_dense_layers_are_left_to_autograd() -> None:
    large = MLP([512, 512, 10])
    assert not is_faster(large, batch_size=256)
    assert is_faster(MLP([512, 512, 10], [64, 10]), batch_size=256)
    assert is_faster(MLP([512, 512, 10], [256, 10], pattern="block", block=(4, 4)), batch_size=256)
    assert not is_faster(MLP([512, 512, 10], [512, 10], pattern="auto"), batch_size=256)


def test_a_label_that_is_no_class_never_reaches_the_kernel() -> None:
    _, fused, _ = _steps(MLP([8, 4, 3]))
    with pytest.raises(DataError, match="a label is no class of the network"):
        fused(torch.rand(4, 8), torch.tensor([0, 1, 3, 2]), torch.arange(4))
    with pytest.raises(DataError, match="no such sample"):
        fused(torch.rand(4, 8), torch.zeros(4, dtype=torch.int64), torch.tensor([4]))


def test_shares_of_one_class_alone_are_its_label() -> None:
    x, y, rows = torch.rand(90, 64), torch.randint(0, 10, (90,)), torch.arange(90)
    model = MODELS["split, blocks"]()
    _, by_label, labelled = _steps(model)
    _, by_share, shared = _steps(model)
    one_hot = torch.nn.functional.one_hot(y, 10).float()
    for _ in range(20):
        assert by_share(x, one_hot, rows) == pytest.approx(by_label(x, y, rows), abs=1e-6)
    for mine, theirs in zip(shared.parameters(), labelled.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("x", "targets"),
    [
        (torch.rand(4, 7), torch.zeros(4, dtype=torch.int64)),
        (torch.rand(4, 8), torch.zeros(5, dtype=torch.int64)),
        (torch.rand(4, 8), torch.zeros(4, 2)),
        (torch.rand(4, 8), torch.zeros(3, 3)),
    ],
    ids=["another width", "more labels", "shares of other classes", "fewer shares"],
)
def test_samples_and_targets_that_do_not_fit_are_refused(x: torch.Tensor, targets: torch.Tensor) -> None:
    _, fused, _ = _steps(MLP([8, 4, 3]))
    with pytest.raises(ConfigError, match="samples and targets do not fit the network"):
        fused(x, targets, torch.arange(3))
