"""The Torch formulation of a junction equals the reference, for every device without a kernel of its own."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from offramp import pattern as patterns
from offramp.errors import InputError
from offramp.kernels import reference
from offramp.nn import MLP, SparseLinear, SplitModel, gather, ops, split_midpoint
from offramp.pattern import Pattern

ON_DEVICE = {
    ops.junction: ops._forward_on_device,
    ops.junction_grad_input: ops._grad_input_on_device,
    ops.junction_grad_weight: ops._grad_weight_on_device,
}
NAMES = ["junction", "junction_grad_input", "junction_grad_weight"]
BLOCKS = [(1, 1), (2, 1), (1, 3), (2, 3)]
WHOLE_NUMBERS = [torch.uint8, torch.uint16, torch.int32, torch.int64]


class _AsOnADevice(TorchDispatchMode):
    """Lets CPU tensors compute as those of another device do, below autograd."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return ON_DEVICE.get(func, func)(*args, **(kwargs or {}))


@pytest.fixture
def as_on_a_device() -> Iterator[None]:
    with _AsOnADevice():
        yield


class _Case(NamedTuple):
    """A junction with values: x, dy, weight and bias of one dtype."""

    pattern: Pattern
    x: Tensor
    dy: Tensor
    weight: Tensor
    bias: Tensor

    def tables(self, dtype: torch.dtype = torch.int32) -> tuple[Tensor, Tensor]:
        return tuple(torch.tensor(t).to(dtype) for t in (self.pattern.table, self.pattern.reverse()))

    def of(self, operator: Any, device: str = "cpu") -> tuple[tuple[Tensor, ...], tuple[Any, ...]]:
        """The operator's differentiable arguments, and the tables and block that follow them."""
        numbers = {
            ops.junction: (self.x, self.weight, self.bias),
            ops.junction_grad_input: (self.dy, self.weight),
            ops.junction_grad_weight: (self.x, self.dy),
        }[operator]
        tables = (self.pattern.table, self.pattern.reverse())
        return (
            tuple(t.detach().to(device).requires_grad_() for t in numbers),
            (*(torch.tensor(t, device=device) for t in tables), *self.pattern.block),
        )


def _case(pattern: Pattern, *, batch: int = 5, seed: int = 1, dtype: torch.dtype = torch.float64) -> _Case:
    generator = torch.Generator().manual_seed(seed)
    (n_blocks, width), (r, c) = pattern.table.shape, pattern.block
    shapes = (batch, pattern.n_in), (batch, pattern.n_out), (n_blocks, width, r * c), (pattern.n_out,)
    return _Case(
        pattern, *(torch.randn(s, generator=generator, dtype=torch.float64).to(dtype) for s in shapes)
    )


def _small(block: tuple[int, int] = (2, 3), dtype: torch.dtype = torch.float64) -> _Case:
    return _case(patterns.block(8, 12, 6, block=block, seed=3), dtype=dtype)


@st.composite
def cases(draw: st.DrawFn) -> _Case:
    r, c = draw(st.sampled_from([1, 2, 3, 4])), draw(st.sampled_from([1, 2, 4]))
    n_in, n_out = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    degree = draw(st.sampled_from(list(patterns.feasible_out_degrees(n_in, n_out))))
    seed = draw(st.integers(0, 99))
    pattern = patterns.block(n_in * r, n_out * c, degree * c, block=(r, c), seed=seed)
    return _case(pattern, batch=draw(st.integers(0, 5)), seed=seed)


def _reference(case: _Case) -> tuple[Tensor, ...]:
    """y without bias, y, dx, dw and db in float64."""
    p, arrays = case.pattern, [t.double().numpy() for t in case[1:]]
    x, dy, weight, bias = arrays
    dx = reference.grad_input(dy, weight, p.reverse(), block=p.block)
    gradients = dx, *reference.grad_weight(x, dy, p.table, block=p.block)
    y = [reference.forward(x, weight, p.table, b, block=p.block) for b in (None, bias)]
    return tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in (*y, *gradients))


def _gathered(case: _Case, table_dtype: torch.dtype = torch.int32) -> tuple[Tensor, ...]:
    """The same by the Torch formulation."""
    table, reverse_table = case.tables(table_dtype)
    _, x, dy, weight, bias = case
    block = case.pattern.block
    return (
        gather.forward(x, weight, None, table, *block),
        gather.forward(x, weight, bias, table, *block),
        gather.grad_input(dy, weight, table, reverse_table, *block),
        *gather.grad_weight(x, dy, table, *block),
    )


@given(cases(), st.sampled_from(WHOLE_NUMBERS), st.sampled_from([1, 300, 2**28]))
def test_it_equals_the_reference_for_any_junction_table_and_bound(
    case: _Case, table_dtype: torch.dtype, bound: int
) -> None:
    with mock.patch.object(gather, "GATHERED_BYTES", bound):
        results = _gathered(case, table_dtype)
    for result, exact in zip(results, _reference(case), strict=True):
        torch.testing.assert_close(result, exact, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-5), (torch.float16, 1e-2), (torch.bfloat16, 1e-1)],
    ids=["float32", "float16", "bfloat16"],
)
def test_it_computes_in_the_dtype_of_its_tensors(dtype: torch.dtype, tolerance: float) -> None:
    case = _case(patterns.block(16, 24, 12, block=(4, 2), seed=3), batch=16, dtype=dtype)
    for result, exact in zip(_gathered(case), _reference(case), strict=True):
        assert result.dtype is dtype
        torch.testing.assert_close(result, exact, check_dtype=False, rtol=tolerance, atol=tolerance)


def test_non_contiguous_tensors_give_the_same() -> None:
    case = _small()
    strided = _Case(case.pattern, *(torch.stack([t, t], dim=-1)[..., 0] for t in case[1:]))
    assert not strided.x.is_contiguous()
    for result, expected in zip(_gathered(strided), _gathered(case), strict=True):
        torch.testing.assert_close(result, expected)


class _Picked(TorchDispatchMode):
    """Notes the bytes of every pick of rows, and how many blocks each matrix product has."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: list[int] = []
        self.blocks: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.index_select.default:
            self.bytes.append(result.nbytes)
        if func in (torch.ops.aten.bmm.default, torch.ops.aten.baddbmm.default):
            self.blocks.append(len(result))
        return result


def test_what_is_gathered_at_once_stays_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    case = _case(patterns.random(32, 64, 16, seed=1), batch=10)  # 8 inputs of 10 samples: 640 bytes a block
    monkeypatch.setattr(gather, "GATHERED_BYTES", 3000)
    with _Picked() as picked:
        _gathered(case)
    assert max(picked.bytes) == 4 * 640
    assert max(picked.blocks) == 4
    monkeypatch.setattr(gather, "GATHERED_BYTES", 1)
    with _Picked() as picked:
        _gathered(case)
    assert set(picked.blocks) == {1}
    assert max(picked.bytes) <= max(case.x.nbytes, case.dy.nbytes)


def test_no_matrix_product_has_more_blocks_than_a_grid_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gather._MAX_BLOCKS < 65536
    monkeypatch.setattr(gather, "_MAX_BLOCKS", 5)
    case = _small((1, 1))
    with _Picked() as picked:
        results = _gathered(case)
    assert max(picked.blocks) == 5
    for result, exact in zip(results, _reference(case), strict=True):
        torch.testing.assert_close(result, exact)


# --- As the operators -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("as_on_a_device")
@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("operator", ON_DEVICE, ids=NAMES)
def test_first_and_second_derivatives_are_those_of_finite_differences(
    operator: Callable[..., Any], block: tuple[int, int]
) -> None:
    inputs, rest = _small(block).of(operator)
    assert torch.autograd.gradcheck(lambda *args: operator(*args, *rest), inputs)
    assert torch.autograd.gradgradcheck(lambda *args: operator(*args, *rest), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("operator", ON_DEVICE, ids=NAMES)
def test_results_look_as_the_shape_rules_promise(operator: Any, dtype: torch.dtype) -> None:
    inputs, rest = _small(dtype=dtype).of(operator)
    promised = operator(*(t.to("meta") for t in inputs), *rest)
    with torch.no_grad():
        made = ON_DEVICE[operator](*inputs, *rest)
    for shape, value in zip(_tuple(promised), _tuple(made), strict=True):
        assert (shape.shape, shape.stride(), shape.dtype) == (value.shape, value.stride(), value.dtype)
        assert all(value.data_ptr() != t.data_ptr() for t in inputs)


def _tuple(value: Any) -> tuple[Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)


class _Made(TorchDispatchMode):
    """Notes the devices that results of Torch's operators are on."""

    def __init__(self) -> None:
        super().__init__()
        self.devices: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.devices |= {t.device.type for t in _tuple(result) if isinstance(t, Tensor)}
        return result


@pytest.mark.parametrize("operator", ON_DEVICE, ids=NAMES)
def test_nothing_is_made_on_another_device(operator: Any) -> None:
    inputs, rest = _small().of(operator, "meta")
    with _Made() as made:
        ON_DEVICE[operator](*inputs, *rest)
    assert made.devices == {"meta"}


def _split_model(dtype: torch.dtype = torch.float32) -> SplitModel:
    torch.manual_seed(0)
    model = split_midpoint(MLP([64, 48, 32, 10], out_degrees=[6, 8, 10]))
    return model.to(dtype)


def _train(model: SplitModel, device: str = "cpu", n_steps: int = 3) -> list[float]:
    """Losses of a few steps on one batch."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(20, 64, generator=generator).to(device, next(model.parameters()).dtype)
    labels = torch.randint(10, (20,), generator=generator).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(n_steps):
        loss = sum(nn.functional.cross_entropy(scores, labels) for scores in model(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_split_model_trains_as_with_the_native_kernels() -> None:
    native, gathered = _split_model(), _split_model()
    expected = _train(native)
    with _AsOnADevice():
        losses = _train(gathered)
    assert losses == pytest.approx(expected, abs=1e-5)
    assert losses[-1] < losses[0]


@pytest.mark.usefixtures("as_on_a_device")
def test_a_layer_in_bfloat16_trains() -> None:
    losses = _train(_split_model(torch.bfloat16))
    assert losses[-1] < losses[0]


def test_several_devices_or_dtypes_are_refused_with_the_way_out() -> None:
    case = _small(dtype=torch.float32)
    (x, weight, bias), rest = case.of(ops.junction)
    way_out = r"it computes on one device, with one floating-point dtype .* with \.to\(device, dtype\)$"
    with pytest.raises(InputError, match=rf"x torch.float32 on meta, weight torch.float32 on cpu.*{way_out}"):
        ops._forward_on_device(x.to("meta"), weight, bias, *rest)
    with pytest.raises(InputError, match=rf"table torch.uint16 on meta; {way_out}"):
        ops._forward_on_device(x, weight, None, rest[0].to("meta"), *rest[1:])
    with pytest.raises(InputError, match=rf"reverse_table torch.uint16 on meta; {way_out}"):
        ops._grad_input_on_device(case.dy, weight, rest[0], rest[1].to("meta"), *rest[2:])
    with pytest.raises(InputError, match=rf"x torch.float32 on cpu, dy torch.float16 on cpu, .*{way_out}"):
        ops._grad_weight_on_device(x, case.dy.half(), *rest)
    with pytest.raises(InputError, match=rf"x torch.complex64 on cpu, .*{way_out}"):
        ops._forward_on_device(x.cfloat(), weight.cfloat(), None, *rest)


def test_a_wrong_width_is_refused_before_an_index_leaves_the_tensor() -> None:
    case = _small()
    (x, weight, bias), rest = case.of(ops.junction)
    with pytest.raises(InputError, match=r"x has shape \(5, 6\), this junction needs \(batch, n_in=8\)"):
        ops._forward_on_device(x[:, 2:], weight, bias, *rest)
    with pytest.raises(InputError, match=r"dy has shape \(5, 9\), this junction needs \(batch, n_out=12\)"):
        ops._grad_input_on_device(case.dy[:, 3:], weight, *rest)
    with pytest.raises(InputError, match=r"x has shape \(5, 6\), this junction needs \(batch, n_in=8\)"):
        ops._grad_weight_on_device(x[:, 2:], case.dy, *rest)
    with pytest.raises(InputError, match=r"dy has shape \(5, 9\), this junction needs \(batch, n_out=12\)"):
        ops._grad_weight_on_device(x, case.dy[:, 3:], *rest)


# --- On a GPU ---------------------------------------------------------------------------------------------


def _on_gpu(test: Callable[..., None]) -> Callable[..., None]:
    without = pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA GPU: torch.cuda.is_available() is False"
    )
    return pytest.mark.gpu(without(test))


@_on_gpu
@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("operator", ON_DEVICE, ids=NAMES)
def test_operators_on_cuda_equal_those_on_the_cpu(operator: Any, block: tuple[int, int]) -> None:
    case = _case(patterns.block(96, 60, 30, block=block, seed=3), batch=70, dtype=torch.float32)
    results = []
    for device in ("cpu", "cuda"):
        inputs, rest = case.of(operator, device)
        made = _tuple(operator(*inputs, *rest))
        assert {t.device.type for t in made} == {device}
        gradients = torch.autograd.grad(sum(t.square().mean() for t in made), inputs)
        results.append([t.detach().cpu() for t in (*made, *gradients)])
    for on_cpu, on_cuda in zip(*results, strict=True):
        torch.testing.assert_close(on_cuda, on_cpu, rtol=1e-5, atol=1e-5)


@_on_gpu
@pytest.mark.parametrize("operator", ON_DEVICE, ids=NAMES)
def test_operators_on_cuda_pass_opcheck_and_gradcheck(operator: Any) -> None:
    inputs, rest = _small().of(operator, "cuda")
    torch.library.opcheck(operator, (*inputs, *rest))
    assert torch.autograd.gradcheck(lambda *args: operator(*args, *rest), inputs)
    assert torch.autograd.gradgradcheck(lambda *args: operator(*args, *rest), inputs)


@_on_gpu
def test_a_split_model_on_cuda_trains_as_on_the_cpu() -> None:
    losses = _train(_split_model().to("cuda"), "cuda")
    assert losses == pytest.approx(_train(_split_model()), abs=1e-4)


@_on_gpu
def test_gradients_on_cuda_have_the_same_bits_again() -> None:
    case = _case(patterns.random(512, 512, 64, seed=1), batch=64, dtype=torch.float32)
    inputs, rest = case.of(ops.junction_grad_input, "cuda")
    one, other = (ops.junction_grad_input(*inputs, *rest) for _ in range(2))
    assert torch.equal(one, other)


@_on_gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast_on_cuda_goes_on_in_float32(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(8, 8), SparseLinear(8, 12, out_degree=6)).to("cuda")
    with torch.autocast("cuda", dtype=dtype):
        y = model(torch.randn(5, 8, device="cuda"))
    y.sum().backward()
    assert y.dtype is torch.float32
    assert model[1].weight.grad is not None


@_on_gpu
def test_tensors_on_two_devices_are_refused() -> None:
    layer = SparseLinear(8, 12, out_degree=6).to("cuda")
    with pytest.raises(
        InputError, match=r"x torch.float32 on cpu, weight torch.float32 on cuda:0.* move the"
    ):
        layer(torch.randn(5, 8))
