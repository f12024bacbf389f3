"""`SparseLinear` is `nn.Linear` on fewer edges, and stays so under Torch's own tools."""

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from offramp import pattern as patterns
from offramp.errors import ConfigError, InputError, PatternError
from offramp.nn import SparseLinear
from offramp.pattern import Pattern, PatternSpec


@st.composite
def sparse_layers(draw: st.DrawFn) -> SparseLinear:
    """Layers of drawn widths, out-degrees, blocks and patterns, with or without a bias."""
    r, c = draw(st.sampled_from([1, 2, 3, 4])), draw(st.sampled_from([1, 2, 4]))
    n_in, n_out = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    degree = draw(st.sampled_from(list(patterns.feasible_out_degrees(n_in, n_out))))
    torch.manual_seed(draw(st.integers(0, 99)))
    return SparseLinear(
        n_in * r,
        n_out * c,
        out_degree=degree * c,
        pattern=draw(st.sampled_from(["block", "affine"])),
        block=(r, c),
        bias=draw(st.booleans()),
        seed=draw(st.integers(0, 99)),
    )


def _mask(pattern: Pattern) -> Tensor:
    mask = torch.zeros(pattern.n_out, pattern.n_in)
    mask[pattern.edges()[:, 1], pattern.edges()[:, 0]] = 1
    return mask


@settings(deadline=None)
@given(sparse_layers(), st.integers(0, 70), st.integers(1, 2))
def test_it_equals_a_masked_dense_layer_in_value_and_all_gradients(
    layer: SparseLinear, batch: int, threads: int
) -> None:
    dense, mask = layer.to_dense(), _mask(layer.pattern)
    assert torch.equal(dense.weight * mask, dense.weight)
    x = torch.randn(batch, layer.in_features, requires_grad=True)
    x_dense = x.detach().clone().requires_grad_()
    target = torch.randn(batch, layer.out_features)

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        y = layer(x)
        (y * target).sum().backward()
    finally:
        torch.set_num_threads(before)
    y_dense = dense(x_dense)
    (y_dense * target).sum().backward()
    masked_gradient = nn.Linear(layer.in_features, layer.out_features)
    masked_gradient.weight.data = dense.weight.grad * mask

    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(y, y_dense, **close)
    torch.testing.assert_close(x.grad, x_dense.grad, **close)
    expected = SparseLinear.from_dense(masked_gradient, pattern=layer.pattern).weight
    torch.testing.assert_close(layer.weight.grad, expected.detach(), **close)
    if layer.bias is not None:
        torch.testing.assert_close(layer.bias.grad, dense.bias.grad, **close)


@settings(deadline=None)
@given(sparse_layers())
def test_from_dense_undoes_to_dense(layer: SparseLinear) -> None:
    again = SparseLinear.from_dense(layer.to_dense(), pattern=layer.pattern)
    assert torch.equal(again.weight, layer.weight)
    assert (again.bias is None) == (layer.bias is None)
    assert again.pattern == layer.pattern


def test_one_and_two_threads_give_the_same_bits() -> None:
    layer = SparseLinear(512, 256, out_degree=32, pattern="block", block=(4, 4))
    x = torch.randn(300, 512, requires_grad=True)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            y = layer(x)
            results.append((y, *torch.autograd.grad(y.square().sum(), (x, layer.weight, layer.bias))))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


@pytest.mark.parametrize(
    "shape",
    [(8,), (3, 8), (2, 3, 8), (2, 1, 3, 8), (0, 8), (2, 0, 8)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_it_takes_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    layer = SparseLinear(8, 12, out_degree=6)
    x = torch.randn(shape, requires_grad=True)
    y = layer(x)
    torch.testing.assert_close(y, layer.to_dense()(x))
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == shape
    assert layer.weight.grad is not None


def test_it_takes_non_contiguous_input() -> None:
    layer = SparseLinear(8, 12, out_degree=6)
    wide = torch.randn(5, 4, 16)
    for x in (wide[..., ::2], wide[0, :, :8], wide.transpose(0, 1)[..., 8:], torch.randn(8, 5).T):
        assert not x.is_contiguous() or x.dim() == 2
        torch.testing.assert_close(layer(x), layer.to_dense()(x))


@pytest.mark.parametrize("shape", [(), (7,), (3, 9), (8, 3)], ids=str)
def test_a_wrong_input_width_is_named(shape: tuple[int, ...]) -> None:
    layer = SparseLinear(8, 12, out_degree=6)
    with pytest.raises(InputError, match=r"input has shape .*, its last dimension must be in_features=8;"):
        layer(torch.randn(shape))


def test_seed_decides_the_pattern_and_torchs_generator_the_weights() -> None:
    torch.manual_seed(1)
    one, other = (SparseLinear(60, 40, out_degree=4, seed=5) for _ in range(2))
    assert one.pattern == other.pattern
    assert not torch.equal(one.weight, other.weight)
    torch.manual_seed(1)
    same = SparseLinear(60, 40, out_degree=4, seed=6)
    assert torch.equal(one.weight, same.weight)
    assert one.pattern != same.pattern


def test_first_weights_are_he_normal_by_the_true_in_degree() -> None:
    torch.manual_seed(0)
    layer = SparseLinear(1000, 500, out_degree=20)  # in-degree 40, where the dense fan-in is 1000
    assert layer.weight.std().item() == pytest.approx((2 / 40) ** 0.5, rel=0.03)
    assert layer.bias is not None
    assert not layer.bias.any()


def test_its_text_shows_the_junction() -> None:
    layer = SparseLinear(8, 12, out_degree=6, pattern="block", block=(2, 3), bias=False)
    assert repr(layer) == (
        "SparseLinear(in_features=8, out_features=12, out_degree=6, block=(2, 3), density=0.5, bias=False)"
    )


def test_full_needs_no_out_degree_and_a_pattern_brings_its_own() -> None:
    assert SparseLinear(4, 6, pattern="full").pattern == patterns.full(4, 6)
    given_pattern = patterns.affine(8, 12, 6, seed=2)
    assert SparseLinear(8, 12, pattern=given_pattern).pattern is given_pattern
    with pytest.raises(
        ConfigError, match="pattern='random' needs an out_degree between 1 and out_features=6"
    ):
        SparseLinear(4, 6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"in_features": 9}, "in_features=9 contradicts the given pattern, which has in_features=8; pass 8"),
        ({"out_features": 6}, "out_features=6 contradicts the given pattern, which has out_features=12"),
        ({"out_degree": 3}, "out_degree=3 contradicts the given pattern, which has out_degree=6"),
        ({"block": (2, 3)}, r"block=\(2, 3\) contradicts the given pattern, which has block=\(1, 1\)"),
    ],
    ids=["in_features", "out_features", "out_degree", "block"],
)
def test_arguments_that_contradict_a_pattern_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(PatternError, match=text):
        SparseLinear(
            **{"in_features": 8, "out_features": 12, "pattern": patterns.random(8, 12, 6), **arguments}
        )


def test_auto_is_the_block_pattern_of_its_shape_and_loads_as_such() -> None:
    auto = SparseLinear(64, 32, out_degree=8, pattern="auto", seed=5)
    named = SparseLinear(64, 32, out_degree=8, pattern="block", block=auto.pattern.block, seed=5)
    named.load_state_dict(auto.state_dict())
    x = torch.randn(3, 64)
    torch.testing.assert_close(named(x), auto(x), rtol=0, atol=0)


def test_auto_computes_all_edges_as_one_block() -> None:
    layer = SparseLinear(12, 8, out_degree=8, pattern="auto")
    assert layer.weight.shape == (1, 1, 96)
    x = torch.randn(3, 12)
    torch.testing.assert_close(layer(x), layer.to_dense()(x))


def test_a_spec_chooses_the_options_of_the_pattern() -> None:
    spec = PatternSpec("clash_free", type=2, z=4, dither=True, seed=5)
    assert SparseLinear(8, 12, out_degree=6, pattern=spec).pattern == spec.build(8, 12, 6)
    assert SparseLinear(8, 12, pattern=PatternSpec("full", block=(2, 2))).pattern.block == (2, 2)
    with pytest.raises(PatternError, match="seed=4 contradicts the given pattern, which has seed=5; pass 5"):
        SparseLinear(8, 12, out_degree=6, pattern=spec, seed=4)
    with pytest.raises(
        PatternError, match=r"block=\(2, 2\) contradicts the given pattern, which has block=None"
    ):
        SparseLinear(8, 12, out_degree=6, pattern=spec, block=(2, 2))


# --- State ------------------------------------------------------------------------------------------------


def test_the_state_dict_holds_weights_and_pattern_and_comes_back() -> None:
    layer = SparseLinear(8, 12, out_degree=6, pattern="block", block=(2, 3))
    state = layer.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        "weight": (4, 2, 6),
        "bias": (12,),
        "table": (4, 2),
    }
    other = SparseLinear(8, 12, out_degree=6, pattern="block", block=(2, 3))
    other.load_state_dict(state)
    assert torch.equal(other.weight, layer.weight)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "not strict"])
def test_weights_of_another_pattern_are_refused(strict: bool) -> None:
    model = nn.Sequential(SparseLinear(60, 40, out_degree=4, seed=1))
    before = model[0].weight.detach().clone()
    with pytest.raises(
        PatternError, match=r"^0\.table of the state_dict \(40, 6\) is another pattern .* build the"
    ):
        model.load_state_dict(
            nn.Sequential(SparseLinear(60, 40, out_degree=4, seed=2)).state_dict(), strict=strict
        )
    with pytest.raises(PatternError, match=r"^0\.table of the state_dict \(40, 12\) is another pattern"):
        model.load_state_dict(nn.Sequential(SparseLinear(60, 40, out_degree=8)).state_dict(), strict=strict)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "not strict"])
def test_weights_without_their_pattern_are_refused(strict: bool) -> None:
    layer = SparseLinear(60, 40, out_degree=4)
    state = {name: value for name, value in layer.state_dict().items() if name != "table"}
    with pytest.raises(PatternError, match="has weight without table; weights load only together with"):
        layer.load_state_dict(state, strict=strict)


def test_a_state_dict_that_skips_the_layer_leaves_it_alone_when_not_strict() -> None:
    model = nn.Sequential(nn.Linear(8, 8), SparseLinear(8, 12, out_degree=6))
    state = {name: value for name, value in model.state_dict().items() if name.startswith("0.")}
    assert sorted(model.load_state_dict(state, strict=False).missing_keys) == [
        "1.bias",
        "1.weight",
    ]


def _on_meta(pattern: Pattern) -> SparseLinear:
    with torch.device("meta"):
        return SparseLinear(pattern.n_in, pattern.n_out, pattern=pattern)


def _scrambled(layer: SparseLinear) -> SparseLinear:
    """The layer with the worst that `to_empty` may leave in its tables."""
    layer.to_empty(device="cpu")
    for table in (layer.table, layer.reverse_table):
        table.fill_(torch.iinfo(table.dtype).max)
    return layer


@pytest.mark.parametrize("assign", [False, True], ids=["copied", "assigned"])
def test_a_layer_from_the_meta_device_has_its_tables_once_loaded(assign: bool) -> None:
    layer = SparseLinear(8, 12, out_degree=6, pattern="block", block=(2, 3))
    state = layer.state_dict() | {"table": layer.table.long()}  # as other tools may save it
    empty = _on_meta(layer.pattern)
    other = empty if assign else _scrambled(empty)
    other.load_state_dict(state, assign=assign)
    _assert_same_with_gradients(other, layer)


def test_a_layer_from_the_meta_device_has_its_tables_once_reset() -> None:
    layer = _scrambled(_on_meta(patterns.random(8, 12, 6)))
    layer.reset_parameters()
    _assert_same_with_gradients(layer, layer.to_dense())
    assert layer.table.tolist() == layer.pattern.table.tolist()


def _assert_same_with_gradients(layer: SparseLinear, other: nn.Module) -> None:
    x = torch.randn(3, 8, requires_grad=True)
    y, expected = layer(x), other(x)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(*(torch.autograd.grad(out.square().sum(), x) for out in (y, expected)))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda table: table + 0.5, r"^table of the state_dict is torch.float32; a table names input blocks"),
        (lambda table: table.long() + 2**32, "is another pattern than this layer's"),
    ],
    ids=["fractions", "beyond int32"],
)
def test_a_table_that_only_a_cast_makes_equal_is_refused(change: Any, text: str) -> None:
    layer = SparseLinear(8, 12, out_degree=6)
    with pytest.raises(PatternError, match=text):
        layer.load_state_dict(layer.state_dict() | {"table": change(layer.table)})


def test_a_deep_copy_is_independent_and_equal() -> None:
    layer = SparseLinear(8, 12, out_degree=6)
    twin = copy.deepcopy(layer)
    x = torch.randn(3, 8)
    assert torch.equal(twin(x), layer(x))
    assert twin.pattern == layer.pattern
    with torch.no_grad():
        twin.weight.zero_()
    assert layer.weight.any()


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda layer: pickle.loads(pickle.dumps(layer))]
)
def test_a_copy_has_the_tables_of_its_pattern(copied: Callable[[SparseLinear], SparseLinear]) -> None:
    layer = SparseLinear(8, 12, out_degree=6)
    twin, x = copied(layer), torch.randn(3, 8)
    assert torch.equal(twin(x), layer(x))
    assert np.array_equal(twin.table.numpy(), layer.pattern.table)
    assert np.shares_memory(twin.table.numpy(), twin.pattern.table)


def test_other_float_types_move_the_weights_alone() -> None:
    layer = SparseLinear(8, 12, out_degree=6).double()
    assert layer.table.dtype == torch.uint16
    assert layer(torch.randn(3, 8, dtype=torch.float64)).dtype == torch.float64
    double = SparseLinear(8, 12, out_degree=6, dtype=torch.float64)
    assert {parameter.dtype for parameter in double.parameters()} == {torch.float64}


def test_under_autocast_it_computes_in_float32() -> None:
    model = nn.Sequential(nn.Linear(8, 8), SparseLinear(8, 12, out_degree=6))
    with torch.autocast("cpu", torch.bfloat16):
        y = model(torch.randn(3, 8))
    assert y.dtype == torch.float32
    y.sum().backward()
    assert model[0].weight.grad is not None


# --- Torch's tools ----------------------------------------------------------------------------------------


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        SparseLinear(16, 24, out_degree=6),
        nn.ReLU(),
        SparseLinear(24, 8, out_degree=4, pattern="block", block=(2, 2)),
    )


def _check_compiled(backend: str) -> None:
    model, x = _network(), torch.randn(5, 3, 16)
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    model(x).square().sum().backward()
    expected = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    y = compiled(x)
    y.square().sum().backward()
    torch.testing.assert_close(y, model(x))
    torch.testing.assert_close([parameter.grad for parameter in model.parameters()], expected)
    torch.testing.assert_close(compiled(x[:4]), model(x[:4]))  # a second, dynamic shape
    with pytest.raises(Exception, match="its last dimension must be in_features"):
        compiled(torch.randn(5, 17))


def test_it_compiles_as_one_graph_with_its_gradients() -> None:
    _check_compiled("aot_eager")


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:`torch.jit:DeprecationWarning"
)  # Torch's compiler imports what Torch deprecates
def test_it_compiles_with_the_default_compiler() -> None:
    _check_compiled("inductor")


def test_it_exports_with_a_dynamic_batch() -> None:
    model = _network().eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (torch.randn(4, 16),), dynamic_shapes=({0: batch},))
    x = torch.randn(7, 16)
    torch.testing.assert_close(program.module()(x), model(x))
    assert "offramp.junction.default" in str(program.graph)


def test_two_processes_average_their_gradients_to_those_of_the_joined_batch(tmp_path: Path) -> None:
    data = {"x": torch.randn(12, 16), "target": torch.randn(12, 8)}
    save_file(data, tmp_path / "data.safetensors")
    command = [sys.executable, str(Path(__file__).with_name("ddp_worker.py"))]
    loopback = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    workers = [subprocess.Popen([*command, str(rank), str(tmp_path)], env=loopback) for rank in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]

    torch.manual_seed(0)
    model = nn.Sequential(SparseLinear(16, 24, out_degree=6), nn.ReLU(), SparseLinear(24, 8, out_degree=4))
    (model(data["x"]) - data["target"]).square().mean().backward()
    for rank in range(2):
        theirs = load_file(tmp_path / f"gradients{rank}.safetensors")
        assert len(theirs) == 4
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(theirs[name], parameter.grad)
