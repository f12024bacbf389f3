"""A graph of ONNX in the making, and the model that becomes of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import offramp
from offramp.errors import MissingDependencyError

if TYPE_CHECKING:
    from onnx import ModelProto

# Old enough for the servers of today: onnxruntime reads them since 2020.
_OPSET = 13
_IR_VERSION = 7


class Graph:
    """Collects inputs, nodes, constants and outputs, and gives every value a name.

    Raises:
        MissingDependencyError: onnx is not installed.
    """

    def __init__(self) -> None:
        try:
            from onnx import helper, numpy_helper
        except ImportError as error:
            raise MissingDependencyError(
                "an export to ONNX needs onnx, which is not installed; run: pip install 'offramp[export]'"
            ) from error
        self._helper = helper
        self._numpy_helper = numpy_helper
        self._numbers = itertools.count()
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, dtype: npt.DTypeLike, *row: int) -> str:
        """An input (n, *row)."""
        self._inputs.append(self._tensor(name, dtype, row))
        return name

    def output(self, value: str, name: str, dtype: npt.DTypeLike, *row: int) -> None:
        """Let a value (n, *row) leave under this name."""
        self._nodes.append(self._helper.make_node("Identity", [value], [name], name=name))
        self._outputs.append(self._tensor(name, dtype, row))

    def constant(self, name: str, array: npt.NDArray[Any]) -> str:
        """An array, stored once under this name."""
        if name not in self._constants:
            self._constants[name] = self._numpy_helper.from_array(array, name)
        return name

    def number(self, value: float, dtype: npt.DTypeLike) -> str:
        """A scalar."""
        array = np.array(value, dtype)
        return self.constant(f"{array.dtype} {array}", array)

    def integers(self, *values: int) -> str:
        """A shape, or axes."""
        return self.constant("integers " + " ".join(map(str, values)), np.array(values, np.int64))

    def node(self, operator: str, *inputs: str, n_outputs: int = 1, **attributes: Any) -> str:
        """What an operator makes of its inputs, the first of its outputs; "" leaves an optional input out."""
        name = f"{operator.lower()}_{next(self._numbers)}"
        outputs = [name, *(f"{name}.{i}" for i in range(1, n_outputs))]
        self._nodes.append(self._helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return name

    def cast(self, value: str, dtype: npt.DTypeLike) -> str:
        """The same numbers in another type."""
        return self.node("Cast", value, to=self._type(dtype))

    def zeros(self, dtype: npt.DTypeLike, *shape: int) -> str:
        """An array of zeros, which no file holds."""
        zero = self._numpy_helper.from_array(np.zeros(1, dtype))
        return self.node("ConstantOfShape", self.integers(*shape), value=zero)

    def sum(self, value: str, axis: int, *, keepdims: bool = False) -> str:
        """The sum over an axis."""
        return self.node("ReduceSum", value, self.integers(axis), keepdims=int(keepdims))

    def descending(self, value: str, k: int) -> str:
        """The k largest of each row (n, k), the largest first."""
        return self.node("TopK", value, self.integers(k), n_outputs=2, axis=1)

    def column(self, value: str, i: int) -> str:
        """One column (n,) of a matrix."""
        return self.node("Gather", value, self.number(i, np.int64), axis=1)

    def model(self, name: str, words: Mapping[str, str]) -> ModelProto:
        """The model, checked; `words` become its metadata."""
        from onnx import checker

        model = self._helper.make_model(
            self._helper.make_graph(
                self._nodes, name, self._inputs, self._outputs, list(self._constants.values())
            ),
            opset_imports=[self._helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="offramp",
            producer_version=offramp.__version__,
        )
        self._helper.set_model_props(model, dict(words))
        checker.check_model(model, full_check=True)
        return model

    def _type(self, dtype: npt.DTypeLike) -> int:
        return int(self._helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def _tensor(self, name: str, dtype: npt.DTypeLike, row: Sequence[int]) -> Any:
        return self._helper.make_tensor_value_info(name, self._type(dtype), ["n", *row])
