"""`MLP` builds the paper's networks: dense, small and sparse."""

from typing import Any

import pytest
import torch
from torch import nn

from offramp.errors import ConfigError, PatternError
from offramp.nn import MLP, SparseLinear
from offramp.pattern import PatternSpec, fastest_block


def _kinds(model: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in model.children()]


def _n_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("neurons", "out_degrees", "parameters"),
    [
        ([800, 40, 40, 10], [2, 9, 10], 2450),
        ([800, 40, 40, 10], [4, 10, 10], 4090),
        ([800, 80, 80, 10], [26, 22, 10], 23530),
        ([200, 80, 80, 10], [8, 12, 10], 3530),
        ([800, 40, 10], None, 32450),
    ],
    ids=str,
)
def test_parameter_counts_are_those_of_the_paper(
    neurons: list[int], out_degrees: list[int] | None, parameters: int
) -> None:
    assert _n_parameters(MLP(neurons, out_degrees)) == parameters


def test_a_full_out_degree_or_none_makes_a_dense_layer() -> None:
    assert _kinds(MLP([800, 40, 40, 10], [2, 9, 10])) == [
        "SparseLinear",
        "ReLU",
        "SparseLinear",
        "ReLU",
        "Linear",
    ]
    assert _kinds(MLP([8, 12, 4], [None, 2])) == ["Linear", "ReLU", "SparseLinear"]
    assert _kinds(MLP([8, 4])) == ["Linear"]


def test_blocks_shrink_to_what_each_junction_allows() -> None:
    model = MLP([800, 40, 40, 10], [4, 10, 10], pattern="block", block=(4, 4))
    assert [layer.pattern.block for layer in model if isinstance(layer, SparseLinear)] == [(4, 4), (2, 2)]


def test_auto_takes_the_fastest_block_of_each_junction() -> None:
    model = MLP([800, 40, 40, 10], [4, 10, 10], pattern="auto")
    assert [layer.pattern.block for layer in model if isinstance(layer, SparseLinear)] == [
        fastest_block(800, 40, 4),
        fastest_block(40, 40, 10),
    ]


def test_auto_refuses_a_block_as_it_was_given() -> None:
    with pytest.raises(
        PatternError, match=r'"auto" chooses the block itself, but block=\(8, 8\); leave block'
    ):
        MLP([800, 40, 40, 10], [4, 10, 10], pattern="auto", block=(8, 8))


def test_patterns_differ_between_junctions_and_between_seeds() -> None:
    def patterns(seed: int) -> list[Any]:
        model = MLP([40, 40, 40, 40], [4, 4, 4], seed=seed)
        return [layer.pattern for layer in model if isinstance(layer, SparseLinear)]

    assert len({*patterns(0), *patterns(1), *patterns(2)}) == 9
    assert patterns(1) == patterns(1)


def test_an_infeasible_junction_is_named() -> None:
    with pytest.raises(PatternError, match=r"^junction 2 \(40 -> 100\): out_degree=3 "):
        MLP([800, 40, 100, 10], [2, 3, 10])


@pytest.mark.parametrize(
    ("neurons", "out_degrees", "text"),
    [
        ([800], None, r"neurons=\[800\] must be at least two widths"),
        ([800, 0, 10], None, r"neurons=\[800, 0, 10\] must be at least two widths of 1 or more"),
        ([8.5, 4], None, r"neurons=\[8.5, 4\] must be .*; give whole numbers"),
        ("84", None, "neurons='84' must be at least two widths"),
        (84, None, "neurons=84 must be at least two widths"),
        (
            [800, 40, 10],
            [2],
            r"out_degrees=\[2\] gives 1 degrees for 2 junctions; neurons=\[800, 40, 10\] needs one",
        ),
    ],
    ids=["one width", "no neurons", "fractions", "text", "a number", "degrees missing"],
)
def test_widths_and_degrees_must_fit(neurons: list[int], out_degrees: list[int] | None, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        MLP(neurons, out_degrees)


@pytest.mark.parametrize("seed", [-1, 1.5], ids=str)
def test_a_seed_that_is_none_is_refused(seed: int) -> None:
    with pytest.raises(PatternError, match=f"^seed={seed} is not usable; give a whole number, 0 or more$"):
        MLP([8, 4], seed=seed)


def test_a_spec_chooses_the_options_of_every_junctions_pattern() -> None:
    def patterns(spec: Any, **options: Any) -> list[Any]:
        model = MLP([40, 40, 40], [4, 4], pattern=spec, **options)
        return [layer.pattern for layer in model if isinstance(layer, SparseLinear)]

    assert patterns(PatternSpec("random"), seed=3) == patterns("random", seed=3)
    clash_free = patterns(PatternSpec("clash_free", type=2, z=8, dither=True), seed=3)
    assert clash_free[0] != clash_free[1]
    assert clash_free != patterns("clash_free", seed=3)
    blocks = patterns(PatternSpec("block", block=(4, 4)))
    assert blocks == patterns("block", block=(4, 4)) == patterns(PatternSpec("block"), block=(4, 4))


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (PatternSpec(seed=3), "^seed=3 of the PatternSpec is not a junction's.*; pass seed=3 beside it$"),
        (
            PatternSpec("block", block=(2, 2)),
            r"^block=\(4, 4\) contradicts the PatternSpec's block=\(2, 2\);",
        ),
    ],
    ids=["seed", "block"],
)
def test_a_spec_that_contradicts_the_arguments_is_refused(spec: PatternSpec, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        MLP([8, 8, 4], [4, 4], pattern=spec, block=(4, 4))


def test_a_slice_is_a_plain_sequence_of_the_same_modules() -> None:
    model = MLP([8, 12, 4], [6, 2])
    head = model[:2]
    assert type(head) is nn.Sequential
    assert head[0] is model[0]
    x = torch.randn(3, 8)
    torch.testing.assert_close(model[2](head(x)), model(x))
