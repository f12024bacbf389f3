"""A dense network by onnx2c, which makes C of an ONNX model: in float32, and with integer products."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.microcontrollers.contender import Sources
from benchmarks.microcontrollers.dense import Dense, Int8Layer, Integers

COMMAND = "onnx2c/build/onnx2c"


def write_float32(dense: Dense, folder: Path, peers: Path) -> Sources:
    """The network as `Gemm` and `Relu`; the pixels' scale is in the first weights."""
    nodes, constants = [], []
    last = len(dense.weights) - 1
    for number, (weight, bias) in enumerate(zip(dense.weights, dense.biases, strict=True)):
        scale = np.float32(1 / 255 if number == 0 else 1)
        constants += [_constant(f"w{number}", weight.T * scale), _constant(f"b{number}", bias)]
        given = "scores" if number == last else f"z{number}"
        nodes.append(helper.make_node("Gemm", [f"x{number}", f"w{number}", f"b{number}"], [given]))
        if number != last:
            nodes.append(helper.make_node("Relu", [given], [f"x{number + 1}"]))
    return _written(dense, nodes, constants, TensorProto.FLOAT, "float", folder, peers)


def write_int8(dense: Dense, layers: Sequence[Int8Layer], folder: Path, peers: Path) -> Sources:
    """The network as `MatMulInteger`, and between layers a float factor an output and `QuantizeLinear`."""
    nodes, constants = (
        [],
        [
            # MatMulInteger wants zero points as rows of one; QuantizeLinear takes those for one an output.
            _constant("zero_x", np.zeros(1, np.uint8)),
            _constant("zero_w", np.zeros(1, np.int8)),
            _constant("zero", np.uint8(0)),
            _constant("one", np.float32(1)),
        ],
    )
    last = len(layers) - 1
    for number, layer in enumerate(layers):
        # Symbols are unsigned here, those of CMSIS-NN less 128: what the zero point adds is gone.
        constants += [
            _constant(f"w{number}", layer.weight.T.astype(np.int8)),
            _constant(f"b{number}", layer.bias.astype(np.int32)[None]),
        ]
        product = ["MatMulInteger", [f"x{number}", f"w{number}", "zero_x", "zero_w"], [f"p{number}"]]
        given = "scores" if number == last else f"s{number}"
        nodes.append(helper.make_node(*product))
        nodes.append(helper.make_node("Add", [f"p{number}", f"b{number}"], [given]))
        if number != last:
            factor = np.array([layer.multiplier * 2.0 ** (layer.shift - 31)], np.float32)
            constants.append(_constant(f"f{number}", factor))
            nodes += [
                helper.make_node("Cast", [given], [f"c{number}"], to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"c{number}", f"f{number}"], [f"m{number}"]),
                helper.make_node("QuantizeLinear", [f"m{number}", "one", "zero"], [f"x{number + 1}"]),
            ]
    return _written(dense, nodes, constants, TensorProto.INT32, "int32_t", folder, peers)


def int8_classes(layers: Sequence[Int8Layer], inputs: Integers) -> Integers:
    """The classes of pooled images by the integers of `write_int8`."""
    x = inputs
    for number, layer in enumerate(layers, start=1):
        x = x @ layer.weight.T + layer.bias
        if number < len(layers):
            factor = np.float32(layer.multiplier * 2.0 ** (layer.shift - 31))
            x = np.clip(_rounded(x.astype(np.float32) * factor), 0, 255)
    classes: Integers = x.argmax(axis=1)
    return classes


def _rounded(values: np.ndarray) -> Integers:
    """As C's roundf: ties away from zero."""
    rounded: Integers = (np.sign(values) * np.floor(np.abs(values.astype(np.float64)) + 0.5)).astype(np.int64)
    return rounded


def _constant(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, order="C"), name)


def _written(
    dense: Dense,
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto],
    score: int,
    c_score: str,
    folder: Path,
    peers: Path,
) -> Sources:
    n_in, n_classes = dense.neurons[0], dense.neurons[-1]
    first = TensorProto.FLOAT if c_score == "float" else TensorProto.UINT8
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x0", first, [1, n_in])],
        [helper.make_tensor_value_info("scores", score, [1, n_classes])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = folder / "network.onnx"
    onnx.save(model, path)
    made = subprocess.run([peers / COMMAND, path], capture_output=True, text=True, check=True).stdout
    if c_score == "float":
        # It leaves tables writable, which would take RAM as well as flash.
        made = re.sub(r"^static (?!const)(float tensor_\w+\[.*\] = )", r"static const \1", made, flags=re.M)
    source = folder / "network.c"
    c_input = "float" if c_score == "float" else "uint8_t"
    source.write_text(
        made
        + _CLASSIFY.format(c_input=c_input, c_score=c_score, n_in=n_in, n_classes=n_classes, pool=dense.pool),
        encoding="utf-8",
    )
    return Sources((source,))


_CLASSIFY = """
#include "network.h"
#include "pool.h"

uint8_t classify(const uint8_t *pixels)
{{
    {c_input} input[1][{n_in}], *put = input[0];
    {c_score} scores[1][{n_classes}];
#define PUT(mean) (*put++ = ({c_input})(mean))
    POOL_{pool}(pixels, PUT);
    entry(input, scores);
    uint8_t best = 0;
    for (uint8_t class = 1; class < {n_classes}; class++) {{
        if (scores[0][class] > scores[0][best]) {{
            best = class;
        }}
    }}
    return best;
}}
"""
