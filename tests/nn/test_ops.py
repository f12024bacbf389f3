"""The three operators: registered as Torch wants them, and each derivative made of the other two."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from offramp import pattern
from offramp.errors import InputError
from offramp.nn import SparseLinear, ops

BLOCKS = [(1, 1), (2, 1), (1, 3), (2, 3)]
OPERATORS = ["junction", "junction_grad_input", "junction_grad_weight"]


def _case(
    name: str, block: tuple[int, int], dtype: torch.dtype
) -> tuple[Callable[..., Any], tuple[Any, ...], Any]:
    """Operator, its differentiable arguments, and the tables and block that follow them."""
    p = pattern.block(8, 12, 6, block=block, seed=3)
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    x, dy, bias = draw(5, 8), draw(5, 12), draw(12)
    weight = draw(*p.table.shape, block[0] * block[1])
    arrays = p.table, p.reverse()
    rest = (*(torch.tensor(array) for array in arrays), *block)
    match name:
        case "junction":
            return ops.junction, (x, weight, bias), rest
        case "junction_grad_input":
            return ops.junction_grad_input, (dy, weight), rest
        case _:
            return ops.junction_grad_weight, (x, dy), rest


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_passes_opcheck(name: str, dtype: torch.dtype) -> None:
    operator, inputs, rest = _case(name, (2, 3), dtype)
    torch.library.opcheck(operator, (*inputs, *rest))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_first_and_second_derivatives_are_those_of_finite_differences(
    name: str, block: tuple[int, int]
) -> None:
    operator, inputs, rest = _case(name, block, torch.float64)

    def function(*args: torch.Tensor) -> Any:
        return operator(*args, *rest)

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("name", OPERATORS)
def test_float32_and_float64_agree(name: str) -> None:
    operator, inputs, rest = _case(name, (2, 3), torch.float32)
    native = operator(*inputs, *rest)
    exact = operator(*(value.double() for value in inputs), *rest)
    torch.testing.assert_close(native, exact, check_dtype=False, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_take_non_contiguous_tensors(name: str) -> None:
    operator, inputs, rest = _case(name, (2, 3), torch.float32)
    strided = [torch.stack([value, value], dim=-1)[..., 0] for value in inputs]
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(operator(*strided, *rest), operator(*inputs, *rest))


class _Called(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes the names of our operators as they run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "offramp":
            self.names.append(func.__name__.removesuffix(".default"))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        ((False, True, True), ["junction_grad_weight"]),
        ((True, False, False), ["junction_grad_input"]),
        ((False, False, True), []),
        ((True, True, True), ["junction_grad_input", "junction_grad_weight"]),
    ],
    ids=["first layer", "frozen layer", "bias alone", "everything"],
)
def test_only_the_gradients_asked_for_are_computed(needed: tuple[bool, ...], expected: list[str]) -> None:
    operator, inputs, rest = _case("junction", (2, 3), torch.float32)
    inputs = tuple(value.detach().requires_grad_(need) for value, need in zip(inputs, needed, strict=True))
    y = operator(*inputs, *rest)
    with _Called() as called:
        y.sum().backward()
    assert called.names == expected
    assert [value.grad is not None for value in inputs] == list(needed)


def test_frozen_weights_do_not_keep_the_input_alive() -> None:
    operator, (x, weight, bias), rest = _case("junction", (2, 3), torch.float32)
    y = operator(x, weight.detach(), bias.detach(), *rest)
    assert y.grad_fn.saved_tensors[0] is None


def test_other_types_on_the_cpu_are_refused_with_what_is_supported() -> None:
    operator, (x, weight, bias), rest = _case("junction", (2, 3), torch.float32)
    with pytest.raises(
        InputError, match=r"x torch.float16 on cpu, weight torch.float32 .* convert them with"
    ):
        operator(x.half(), weight, bias, *rest)
    with pytest.raises(InputError, match=r"bias torch.float64 on cpu; on the CPU it computes"):
        operator(x, weight, bias.double(), *rest)


def test_a_wrong_width_is_refused_by_the_shape_rules() -> None:
    operator, (x, weight, bias), rest = _case("junction", (2, 3), torch.float32)
    meta = [torch.empty_like(value, device="meta") for value in (x[:, 1:], weight, bias)]
    with pytest.raises(InputError, match=r"x has shape \(5, 7\), this junction needs \(batch, n_in=8\)"):
        operator(*meta, *rest)
    operator, (dy, weight), rest = _case("junction_grad_input", (2, 3), torch.float32)
    with pytest.raises(InputError, match=r"dy has shape \(5, 11\), this junction needs \(batch, n_out=12\)"):
        operator(dy[:, 1:].to("meta"), weight.to("meta"), *rest)


@pytest.mark.parametrize(
    ("batch", "allowed", "expected"),
    [(8, 2, 1), (100_000, 1, 1), (100_000, 2, 2)],
    ids=["a small junction", "torch told to use one", "a large junction"],
)
def test_threads_follow_torch_but_not_for_small_junctions(
    monkeypatch: pytest.MonkeyPatch, batch: int, allowed: int, expected: int
) -> None:
    seen = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: allowed)
    for name in ("forward_at", "grad_input_at", "grad_weight_at"):
        kernel = getattr(ops.kernels, name)

        def watched(*args: Any, kernel: Any = kernel) -> None:
            *_, threads = args
            seen.append(threads)
            kernel(*args)

        monkeypatch.setattr(ops.kernels, name, watched)
    _, (_, weight, bias), rest = _case("junction", (2, 3), torch.float32)
    ops.junction(torch.randn(batch, 8, requires_grad=True), weight, bias, *rest).sum().backward()
    assert seen == [expected] * 3


@pytest.mark.parametrize("block", [(1, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("batch", [1, 9])
def test_a_layer_in_bfloat16_answers_as_in_float32_rounded(block: tuple[int, int], batch: int) -> None:
    layer = SparseLinear(24, 18, out_degree=6, pattern="block", block=block).bfloat16()
    x = torch.randn(batch, 24, dtype=torch.bfloat16)
    with torch.no_grad():
        have, single = layer(x), copy.deepcopy(layer).float()(x.float())
    assert have.dtype is torch.bfloat16
    torch.testing.assert_close(have.float(), single, rtol=2**-8, atol=1e-5)


def test_gradients_in_bfloat16_are_refused_on_the_cpu() -> None:
    layer = SparseLinear(8, 12, out_degree=3).bfloat16()
    y = layer(torch.randn(2, 8, dtype=torch.bfloat16))
    with pytest.raises(InputError, match=r"on the CPU bfloat16 is for inference only: train in float32"):
        y.sum().backward()


def test_a_table_of_another_type_is_refused() -> None:
    operator, inputs, (table, *rest) = _case("junction", (2, 3), torch.float32)
    with pytest.raises(InputError, match=r"a table is torch.int64 on cpu; give contiguous uint16 or int32"):
        operator(*inputs, table.long(), *rest)


def test_weights_of_another_junction_are_refused() -> None:
    operator, (x, weight, bias), rest = _case("junction", (2, 3), torch.float32)
    with pytest.raises(InputError, match=r"weight has shape .*, this junction needs \d+ numbers"):
        operator(x, weight[1:], bias, *rest)
    with pytest.raises(InputError, match=r"bias has shape \(11,\), this junction needs 12 numbers"):
        operator(x, weight, bias[1:], *rest)
