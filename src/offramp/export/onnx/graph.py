"""A graph of ONNX in the making."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Part
from offramp.errors import MissingDependencyError


class Graph:
    """Collects nodes and constants, and gives every value a name.

    Raises:
        MissingDependencyError: onnx is not installed.
    """

    def __init__(self) -> None:
        try:
            from onnx import TensorProto, helper, numpy_helper
        except ImportError as error:
            raise MissingDependencyError(
                "an export to ONNX needs onnx, which is not installed; run: pip install 'offramp[export]'"
            ) from error
        self._helper = helper
        self._numpy_helper = numpy_helper
        self.FLOAT: int = TensorProto.FLOAT
        self.INT64: int = TensorProto.INT64
        self._numbers = itertools.count()
        self.nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    @property
    def constants(self) -> list[Any]:
        return list(self._constants.values())

    def arrays(self, part: Part, i: int, *kinds: str) -> list[str]:
        """Those arrays of layer i as constants, in this order; "" for one that the layer has not."""
        names = [f"{i}.{kind}" for kind in kinds]
        return [self._constant(name, part.arrays[name]) if name in part.arrays else "" for name in names]

    def sizes(self, *sizes: int) -> str:
        """A shape, as a constant."""
        return self._constant("shape " + "x".join(map(str, sizes)), np.array(sizes, np.int64))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """What an operator makes of its inputs; "" leaves an optional one out."""
        name = f"{operator.lower()}_{next(self._numbers)}"
        self.nodes.append(self._helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def call_output(self, value: str, name: str) -> None:
        """Give what the last node makes the name of an output."""
        last = self.nodes[-1]
        assert list(last.output) == [value], "the output is made last"
        last.output[0] = name

    def _constant(self, name: str, array: npt.NDArray[Any]) -> str:
        if name not in self._constants:
            self._constants[name] = self._numpy_helper.from_array(array, name)
        return name
