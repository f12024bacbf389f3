"""Cutting a network changes where it runs, not what it computes."""

import pytest
import torch
from torch import nn

from offramp.errors import ConfigError
from offramp.nn import MLP, Bottleneck, Exit, SparseLinear, SplitModel, split_at, split_midpoint


@pytest.mark.parametrize(
    ("neurons", "n_head_junctions"),
    [
        ([8, 6, 4], 1),
        ([8, 6, 6, 4], 1),
        ([8, 6, 6, 6, 4], 2),
        ([8, 6, 6, 6, 6, 4], 2),
        ([8, 6, 6, 6, 6, 6, 4], 3),
    ],
    ids=lambda value: f"{len(value) - 1} junctions" if isinstance(value, list) else "",
)
def test_the_head_is_the_first_half_and_ends_in_its_relu(neurons: list[int], n_head_junctions: int) -> None:
    mlp = MLP(neurons)
    model = split_midpoint(mlp)
    head = [type(layer) for layer in model.head.children()]
    assert head == [nn.Linear, nn.ReLU] * n_head_junctions
    assert [*model.head.children(), *model.tail.children()] == list(mlp)


def test_the_tail_scores_are_those_of_the_whole_network() -> None:
    mlp = MLP([800, 40, 40, 10], [2, 9, 10])
    model = split_midpoint(mlp)
    x = torch.randn(5, 800)
    exit_scores, tail_scores = model(x)
    assert torch.equal(tail_scores, mlp(x))
    assert exit_scores.shape == (5, 10)
    assert torch.equal(exit_scores, model.exit(model.head(x)))
    assert isinstance(model.head[0], SparseLinear)


def test_an_exit_has_the_hidden_layers_asked_for() -> None:
    assert [tuple(p.shape) for p in Exit(40, 10).parameters()] == [(10, 40), (10,)]
    hidden = split_midpoint(MLP([8, 6, 4]), exit_hidden=(5, 3)).exit
    assert [type(layer).__name__ for layer in hidden.children()] == [
        "Linear",
        "ReLU",
        "Linear",
        "ReLU",
        "Linear",
    ]
    assert hidden(torch.randn(2, 6)).shape == (2, 4)


def test_what_is_no_mlp_cannot_be_cut() -> None:
    with pytest.raises(
        ConfigError, match=r"^a Sequential has no midpoint that is known; give an MLP, or cut"
    ):
        split_midpoint(nn.Sequential(nn.Linear(8, 4)))  # type: ignore[arg-type]


def test_a_single_junction_cannot_be_cut() -> None:
    with pytest.raises(
        ConfigError, match=r"an MLP of \[8, 4\] has 1 junction; a cut needs 2, so add a hidden layer"
    ):
        split_midpoint(MLP([8, 4]))


def test_a_cut_can_be_after_any_junction_but_the_last() -> None:
    mlp = MLP([8, 7, 6, 5, 4])
    for n in (1, 2, 3):
        model = split_at(mlp, n)
        assert len(model.head) == 2 * n
        assert [*model.head, *model.tail] == list(mlp)
        assert model.exit[0].in_features == mlp.neurons[n]
    for n in (0, 4):
        with pytest.raises(
            ConfigError, match=f"a cut after {n} of 4 junctions leaves a side empty; give 1 to 3"
        ):
            split_at(mlp, n)


# --- Inner exits ------------------------------------------------------------------------------------------


def _with_everything() -> SplitModel:
    torch.manual_seed(1)
    inner: dict[str, list[int]] = {"tail-4": [], "head-2": [3], "tail-1": [], "head-10": [], "head-3": []}
    mlp = MLP([8, 7, 6, 5, 5, 5, 5, 6, 6, 4])
    return split_at(mlp, 6, inner_exits=inner, bottleneck=Bottleneck(width=2))


def test_exits_come_in_the_order_of_execution() -> None:
    names = ("exit-head-2", "exit-head-3", "exit-head-10", "exit", "exit-tail-1", "exit-tail-4")
    model = _with_everything()
    assert model.exit_names == names == tuple(model.exits)
    assert split_midpoint(MLP([8, 6, 4])).exit_names == ("exit",)


def test_every_exit_reads_what_its_layers_give() -> None:
    model, x = _with_everything(), torch.randn(5, 8)
    outputs = model(x)
    assert [tuple(scores.shape) for scores in outputs] == [(5, 4)] * 7
    features = model.head(x)
    sent = model.encoder(features)
    assert sent.shape == (5, 2)
    read = [model.head[:n](x) for n in (2, 3, 10)] + [features] + [model.tail[:n](sent) for n in (1, 4)]
    for scores, module, seen in zip(outputs, model.exits.values(), read, strict=False):
        assert torch.equal(scores, module(seen))
    assert torch.equal(outputs[-1], model.tail(sent))
    assert torch.equal(outputs[-1], model.backbone()(x))


def test_layers_are_counted_inside_containers() -> None:
    head = nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), nn.Linear(3, 3), nn.ReLU())
    model = SplitModel(head, nn.Linear(3, 2), nn.Linear(3, 2), inner_exits={"head-2": nn.Linear(3, 2)})
    x = torch.randn(2, 4)
    assert torch.equal(model(x)[0], model.inner_exits["head-2"](head[0](x)))


def test_without_extras_a_model_looks_and_saves_as_it_always_did() -> None:
    model = split_midpoint(MLP([8, 6, 4]))
    names = ["head.0", "exit.0", "tail.0"]
    assert list(model.state_dict()) == [f"{n}.{p}" for n in names for p in ("weight", "bias")]
    assert "encoder" not in repr(model)
    assert "inner_exits" not in repr(model)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("exit-head-2", "inner exit 'exit-head-2' is no place; write head-<n> or tail-<n> for one after n"),
        ("head-0", "inner exit 'head-0' is no place"),
        ("tail-01", "inner exit 'tail-01' is no place"),
        (
            "head-4",
            "inner exit 'head-4' must have layers after it in a head of 4, ReLU counted; give head-1 to h",
        ),
        (
            "tail-1",
            "inner exit 'tail-1' must have layers after it in a tail of 1, ReLU counted; leave it out",
        ),
    ],
)
def test_an_inner_exit_must_be_inside_a_part(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        split_at(MLP([8, 7, 6, 4]), 2, inner_exits={name: ()})


# --- Bottlenecks and a final ReLU -------------------------------------------------------------------------


@pytest.mark.parametrize("relu", [True, False], ids=["relu", "signed"])
def test_a_bottleneck_stands_between_head_and_tail(relu: bool) -> None:
    mlp = MLP([16, 12, 8, 4])
    bottleneck = Bottleneck(width=4, out_degrees=(2, 6), pattern="block", block=(2, 2), relu=relu)
    model = split_midpoint(mlp, bottleneck=bottleneck)
    encode, *rest = model.encoder
    decode, *tail = model.tail
    assert [type(layer) for layer in rest] == [nn.ReLU] * relu
    assert [type(tail[0]), *tail[1:]] == [nn.ReLU, *list(mlp)[2:]]
    assert (encode.in_features, encode.out_features, encode.pattern.out_degree) == (12, 4, 2)
    assert (decode.in_features, decode.out_features, decode.pattern.out_degree) == (4, 12, 6)
    assert encode.pattern.block == decode.pattern.block == (2, 2)
    sent = model.encoder(model.head(torch.randn(100, 16)))
    assert bool((sent < 0).any()) is not relu
    dense = split_midpoint(mlp, bottleneck=Bottleneck(width=3))
    assert isinstance(dense.encoder[0], nn.Linear)
    assert isinstance(dense.tail[0], nn.Linear)


def test_a_final_relu_reaches_every_exit() -> None:
    mlp = MLP([8, 6, 6, 4], final_relu=True)
    assert [type(layer) for layer in list(mlp)[-2:]] == [nn.Linear, nn.ReLU]
    model = split_midpoint(mlp, exit_hidden=[5], inner_exits={"tail-2": ()}, bottleneck=Bottleneck(width=3))
    for scores in model(torch.randn(50, 8)):
        assert (scores >= 0).all()
        assert (scores == 0).any()
    assert any((scores < 0).any() for scores in split_midpoint(MLP([8, 6, 4]))(torch.randn(50, 8)))
