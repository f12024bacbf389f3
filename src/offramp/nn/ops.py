# mypy: allow-untyped-calls
# (Torch leaves much of torch.library and torch.autograd without types.)
"""The junction and its two gradients as Torch operators, each differentiable again.

With W the junction's matrix, a junction is y = x W + b. It is linear in x and in W, so the derivative of
each of the three operators is made of the other two, and derivatives of any order exist.

Shapes, for blocks of r inputs by c outputs: x (batch, n_in), dy (batch, n_out), weight (n_out/c, in_degree/r,
r*c), bias (n_out,), table (n_out/c, in_degree/r), reverse_table (n_in/r, out_degree/c).

Torch's dispatcher chooses who computes: on the CPU the native kernels (float32, and bfloat16 for inference)
or the NumPy reference (float64), on any other device the Torch formulation of `gather`, in any floating-point
dtype.

The autograd rules are registered as plain `torch.autograd.Function`s: measured per call, that costs 11 us
where `torch.library.custom_op` costs 26 us and `torch.library.register_autograd` 23 us (an empty operator).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from offramp import kernels
from offramp.errors import InputError, PatternError
from offramp.kernels import reference
from offramp.nn import gather, large_blocks

_TABLES = "Tensor table, Tensor reverse_table, int r, int c"

_library = torch.library.Library("offramp", "DEF")
for _schema in (
    f"junction(Tensor x, Tensor weight, Tensor? bias, {_TABLES}) -> Tensor",
    f"junction_grad_input(Tensor dy, Tensor weight, {_TABLES}) -> Tensor",
    f"junction_grad_weight(Tensor x, Tensor dy, {_TABLES}) -> (Tensor, Tensor)",
):
    _library.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))

junction: Callable[..., Tensor] = torch.ops.offramp.junction.default
junction_grad_input: Callable[..., Tensor] = torch.ops.offramp.junction_grad_input.default
junction_grad_weight: Callable[..., tuple[Tensor, Tensor]] = torch.ops.offramp.junction_grad_weight.default


# --- Values on the CPU ------------------------------------------------------------------------------------


_ON_CPU = (torch.float32, torch.float64, torch.bfloat16)


def _dtype(*, also: torch.dtype | None = None, **tensors: Tensor | None) -> torch.dtype:
    """The one dtype of these tensors.

    Args:
        also: takes this beside float32 and float64.
    """
    given = [tensor for tensor in tensors.values() if tensor is not None]
    dtype = given[0].dtype
    if dtype in _ON_CPU and all(t.dtype is dtype and t.is_cpu for t in given):
        if dtype is torch.bfloat16 and also is not dtype:
            raise InputError(
                f"gradients of a junction got {_listed(tensors)}; on the CPU bfloat16 is for inference only: "
                "train in float32, and convert the trained layer with .bfloat16()"
            )
        return dtype
    raise InputError(
        f"a junction got {_listed(tensors)}; on the CPU it computes with all of them torch.float32 (native), "
        "torch.float64 (reference) or, without gradients, torch.bfloat16 (native): convert them with .float()"
    )


def _listed(tensors: Mapping[str, Tensor | None]) -> str:
    return ", ".join(f"{name} {t.dtype} on {t.device}" for name, t in tensors.items() if t is not None)


def _check_size(name: str, value: Tensor, n: int) -> None:
    if value.numel() != n:
        raise InputError(f"{name} has shape {tuple(value.shape)}, this junction needs {n} numbers")


def _address(table: Tensor) -> tuple[int, bool, int, int]:
    """Where a table lies, whether its numbers take 32 bits, its rows and columns."""
    if table.dtype not in (torch.uint16, torch.int32) or not table.is_cpu or not table.is_contiguous():
        raise InputError(
            f"a table is {table.dtype} on {table.device}; give contiguous uint16 or int32 on the CPU, as "
            "SparseLinear has it"
        )
    return table.data_ptr(), table.dtype is torch.int32, *table.shape


def _checked(table: Tensor, reverse_table: Tensor) -> Tensor:
    """The table, if none of its numbers leads out of the junction; the native kernels look by themselves."""
    largest = table.item() if table.numel() == 1 else int(table.to(torch.int64).max())
    if largest >= len(reverse_table):
        raise PatternError(
            "index table points outside of the junction; take the tables of the pattern that the weights "
            "belong to"
        )
    return table


def _threads(n_macs: int) -> int:
    return kernels.useful_threads(n_macs, at_most=torch.get_num_threads())


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    if tensor.requires_grad:
        tensor = tensor.detach()
    return tensor.contiguous().numpy()  # a view where the tensor is contiguous already


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _forward(
    x: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor, rt: Tensor, r: int, c: int
) -> Tensor:
    dtype = _dtype(x=x, weight=weight, bias=bias, also=torch.bfloat16)
    if dtype is torch.float64:
        arrays = _array(x), _array(weight), _array(table), None if bias is None else _array(bias)
        return _tensor(reference.forward(*arrays, block=(r, c)))
    _check_width("x", "n_in", x, rt.shape[0] * r)
    _check_size("weight", weight, table.numel() * r * c)
    n_out = table.shape[0] * c
    if bias is not None:
        _check_size("bias", bias, n_out)
        bias = bias.contiguous()
    x, weight, bias_at = x.contiguous(), weight.contiguous(), 0
    if large_blocks.are_large(table.numel(), r, c):
        return large_blocks.forward(x, weight, bias, _checked(table, rt), r, c)
    y = x.new_empty((x.shape[0], n_out))
    if bias is not None:
        bias_at = bias.data_ptr()
    run = kernels.forward_at if dtype is torch.float32 else kernels.forward_bfloat16_at
    arguments = x.data_ptr(), weight.data_ptr(), bias_at, y.data_ptr(), *x.shape
    run(*arguments, *_address(table), r, c, _threads(weight.numel() * x.shape[0]))
    return y


def _grad_input(dy: Tensor, weight: Tensor, table: Tensor, reverse_table: Tensor, r: int, c: int) -> Tensor:
    if _dtype(dy=dy, weight=weight) is torch.float64:
        return _tensor(reference.grad_input(_array(dy), _array(weight), _array(reverse_table), block=(r, c)))
    _check_width("dy", "n_out", dy, table.shape[0] * c)
    _check_size("weight", weight, reverse_table.numel() * r * c)
    n_in = reverse_table.shape[0] * r
    dy, weight = dy.contiguous(), weight.contiguous()
    if large_blocks.are_large(table.numel(), r, c):
        return large_blocks.grad_input(dy, weight, _checked(table, reverse_table), n_in, r, c)
    dx = dy.new_empty((dy.shape[0], n_in))
    arguments = dy.data_ptr(), weight.data_ptr(), dx.data_ptr(), *dy.shape
    kernels.grad_input_at(*arguments, *_address(reverse_table), r, c, _threads(weight.numel() * dy.shape[0]))
    return dx


def _grad_weight(x: Tensor, dy: Tensor, table: Tensor, rt: Tensor, r: int, c: int) -> tuple[Tensor, Tensor]:
    if _dtype(x=x, dy=dy) is torch.float64:
        dw, db = reference.grad_weight(_array(x), _array(dy), _array(table), block=(r, c))
        return _tensor(dw), _tensor(db)
    _check_width("x", "n_in", x, rt.shape[0] * r)
    _check_width("dy", "n_out", dy, table.shape[0] * c)
    _check_size("dy", dy, x.shape[0] * dy.shape[1])
    x, dy = x.contiguous(), dy.contiguous()
    if large_blocks.are_large(table.numel(), r, c):
        return large_blocks.grad_weight(x, dy, _checked(table, rt), r, c)
    dweight, dbias = x.new_empty((*table.shape, r * c)), x.new_empty((dy.shape[1],))
    arguments = x.data_ptr(), dy.data_ptr(), dweight.data_ptr(), dbias.data_ptr(), *x.shape
    kernels.grad_weight_at(*arguments, *_address(table), r, c, _threads(dweight.numel() * x.shape[0]))
    return dweight, dbias


# --- Values on other devices ------------------------------------------------------------------------------


def _forward_on_device(
    x: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor, rt: Tensor, r: int, c: int
) -> Tensor:
    _check_alike({"x": x, "weight": weight, "bias": bias}, table=table)
    _check_width("x", "n_in", x, len(rt) * r)
    return gather.forward(x, weight, bias, table, r, c)


def _grad_input_on_device(dy: Tensor, weight: Tensor, table: Tensor, rt: Tensor, r: int, c: int) -> Tensor:
    _check_alike({"dy": dy, "weight": weight}, table=table, reverse_table=rt)
    _check_width("dy", "n_out", dy, len(table) * c)
    return gather.grad_input(dy, weight, table, rt, r, c)


def _grad_weight_on_device(
    x: Tensor, dy: Tensor, table: Tensor, rt: Tensor, r: int, c: int
) -> tuple[Tensor, Tensor]:
    _check_alike({"x": x, "dy": dy}, table=table)
    _check_width("x", "n_in", x, len(rt) * r)
    _check_width("dy", "n_out", dy, len(table) * c)
    return gather.grad_weight(x, dy, table, r, c)


def _check_alike(numbers: Mapping[str, Tensor | None], **tables: Tensor) -> None:
    """Refuse tensors of several devices, and numbers of several dtypes or none that has derivatives."""
    given = [tensor for tensor in numbers.values() if tensor is not None]
    device, dtype = given[0].device, given[0].dtype
    if (
        dtype.is_floating_point
        and all(t.dtype is dtype for t in given)
        and all(t.device == device for t in (*given, *tables.values()))
    ):
        return
    raise InputError(
        f"a junction got {_listed({**numbers, **tables})}; it computes on one device, with one "
        "floating-point dtype for all but the tables: move the layer and its input with .to(device, dtype)"
    )


# --- Shapes -----------------------------------------------------------------------------------------------


def _check_width(name: str, width: str, value: Tensor, expected: int) -> None:
    if value.dim() != 2 or value.shape[1] != expected:
        raise InputError(
            f"{name} has shape {tuple(value.shape)}, this junction needs (batch, {width}={expected}); "
            "take the tables of the pattern that the weights belong to"
        )


def _fake_forward(
    x: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor, rt: Tensor, r: int, c: int
) -> Tensor:
    _check_width("x", "n_in", x, rt.shape[0] * r)
    return x.new_empty((x.shape[0], table.shape[0] * c))


def _fake_grad_input(dy: Tensor, weight: Tensor, table: Tensor, rt: Tensor, r: int, c: int) -> Tensor:
    _check_width("dy", "n_out", dy, table.shape[0] * c)
    return dy.new_empty((dy.shape[0], rt.shape[0] * r))


def _fake_grad_weight(
    x: Tensor, dy: Tensor, table: Tensor, _rt: Tensor, r: int, c: int
) -> tuple[Tensor, Tensor]:
    return dy.new_empty((*table.shape, r * c)), dy.new_empty((table.shape[0] * c,))


# --- Derivatives ------------------------------------------------------------------------------------------
# Every rule computes only what is asked of it: no input gradient for the first layer, no weight gradient
# for frozen weights; and it keeps alive only the tensors that this needs.


def _values(operator: Callable[..., Any], on_cpu: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    """The operator below autograd. Plain tensors on the CPU go without a second dispatch: it costs 7 us."""
    if type(inputs[0]) is Tensor and inputs[0].is_cpu and not torch._C._len_torch_dispatch_stack():
        return on_cpu(*inputs)
    with torch._C._AutoDispatchBelowAutograd():
        return operator(*inputs)


class _Junction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        x, weight, _bias, *tables, r, c = inputs
        need_x, need_weight = ctx.needs_input_grad[:2]
        ctx.save_for_backward(x if need_weight else None, weight if need_x else None, *tables)
        ctx.block = r, c
        y: Tensor = _values(junction, _forward, inputs)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *tables = ctx.saved_tensors
        need_x, need_weight, need_bias = ctx.needs_input_grad[:3]
        dx = junction_grad_input(dy, weight, *tables, *ctx.block) if need_x else None
        dw = db = None
        if need_weight:
            dw, db = junction_grad_weight(x, dy, *tables, *ctx.block)
        elif need_bias:
            db = dy.sum(0)
        return dx, dw, db if need_bias else None, None, None, None, None


class _GradInput(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        dy, weight, *tables, r, c = inputs
        need_dy, need_weight = ctx.needs_input_grad[:2]
        ctx.save_for_backward(dy if need_weight else None, weight if need_dy else None, *tables)
        ctx.block = r, c
        dx: Tensor = _values(junction_grad_input, _grad_input, inputs)
        return dx

    @staticmethod
    def backward(ctx: Any, g_dx: Tensor) -> tuple[Tensor | None, ...]:
        dy, weight, *tables = ctx.saved_tensors
        need_dy, need_weight = ctx.needs_input_grad[:2]
        g_dy = junction(g_dx, weight, None, *tables, *ctx.block) if need_dy else None
        g_weight = junction_grad_weight(g_dx, dy, *tables, *ctx.block)[0] if need_weight else None
        return g_dy, g_weight, None, None, None, None


class _GradWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        x, dy, *tables, r, c = inputs
        need_x, need_dy = ctx.needs_input_grad[:2]
        ctx.save_for_backward(x if need_dy else None, dy if need_x else None, *tables)
        ctx.block = r, c
        gradients: tuple[Tensor, Tensor] = _values(junction_grad_weight, _grad_weight, inputs)
        return gradients

    @staticmethod
    def backward(ctx: Any, g_dw: Tensor, g_db: Tensor) -> tuple[Tensor | None, ...]:
        x, dy, *tables = ctx.saved_tensors
        need_x, need_dy = ctx.needs_input_grad[:2]
        g_x = junction_grad_input(dy, g_dw, *tables, *ctx.block) if need_x else None
        g_dy = junction(x, g_dw, g_db, *tables, *ctx.block) if need_dy else None
        return g_x, g_dy, None, None, None, None


def _register(
    name: str,
    on_cpu: Callable[..., Any],
    on_device: Callable[..., Any],
    shapes: Callable[..., Any],
    rule: type[torch.autograd.Function],
) -> None:
    operator = getattr(torch.ops.offramp, name).default

    def differentiable(*inputs: Any) -> Any:
        if torch.is_grad_enabled():
            return rule.apply(*inputs)
        return _values(operator, on_cpu, inputs)

    _library.impl(name, on_cpu, "CPU")
    _library.impl(name, on_device, "CompositeExplicitAutograd")  # every device without one of its own
    _library.impl(name, differentiable, "Autograd")
    torch.library.register_fake(f"offramp::{name}", shapes, lib=_library)


_register("junction", _forward, _forward_on_device, _fake_forward, _Junction)
_register("junction_grad_input", _grad_input, _grad_input_on_device, _fake_grad_input, _GradInput)
_register("junction_grad_weight", _grad_weight, _grad_weight_on_device, _fake_grad_weight, _GradWeight)

# Under autocast a dense layer before a junction gives bfloat16 or float16; the junction goes on in float32.
for _device_type in ("cpu", "cuda", "mps", "xpu"):
    torch.library.register_autocast("offramp::junction", _device_type, torch.float32, lib=_library)
