"""What exported C must write: by the integer reference, or in float32 in the very order of its sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.codec import stacked
from offramp.export.c import CJunction, Encoding, Program
from offramp.int8 import FARTHEST

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Expected:
    """For n samples, in the order in which it is written.

    Args:
        layers: (n, n_out) of every junction of head and exit: symbols, then int32 or float32 scores.
        verdict: structured (n,): label, sure, level.
        encoder: (n, n_out) of every junction of an encoder.
        coded: structured (n,): n_bytes, and the bytes padded with zeros.
        tail: (n, n_out) of every junction of a tail on the device, and of the encoder before it once more.
    """

    layers: list[Array]
    verdict: Array
    encoder: list[Array]
    coded: Array
    tail: list[Array]

    @property
    def traced(self) -> Array:
        """All of it (n,), structured and packed."""
        return _joined([*self.layers, self.verdict, *self.encoder, self.coded, *self.tail])

    @property
    def n_activations(self) -> int:
        """Numbers of all samples: activations, scores, verdicts, coded bytes."""
        numbers = [
            *self.layers,
            *self.encoder,
            *self.tail,
            *(self.verdict[name] for name in ("label", "sure", "level")),
        ]
        return sum(array.size for array in (*numbers, self.coded["n_bytes"], self.coded["bytes"]))


def expected(program: Program, samples: Array) -> Expected:
    """What a device with this program computes of raw samples (n, *shape)."""
    if program.device is not None:
        trace = program.device.trace(samples)
        exit = [*trace.exit[:-1], trace.scores.astype(np.int32)]
        level = program.rule.level(trace.scores)
        rows = program.device.coded(trace.sent)
        tail = _run(program.parts.get("tail", []), program.device.values(trace.sent))
        return _expected(program, trace.head, exit, trace.encoder, level, rows, tail)
    x = program.bundle.preprocessing(samples)
    head = _run(program.parts["head"], x, streamed=program.streamed is not None)
    exit = _run(program.parts["exit"], head[-1])
    encoder = _run(program.parts.get("encoder", []), head[-1])
    scores, rule = exit[-1], program.rule
    behind = (scores.max(axis=1, keepdims=True) - scores) * np.float32(rule.octaves_per_unit)
    level = rule.level_at(np.minimum(behind, np.float32(FARTHEST)).astype(np.int64))
    sent = (encoder or head)[-1]
    rows = program.bundle.codec.encode_rows(sent)
    tail = _run(program.parts.get("tail", []), sent)
    return _expected(program, head, exit, encoder, level, rows, tail)


def _expected(
    program: Program,
    head: list[Array],
    exit: list[Array],
    encoder: list[Array],
    level: Array,
    rows: list[bytes],
    tail: list[Array],
) -> Expected:
    n, most = len(level), program.bundle.codec.max_bytes(program.n_sent)
    verdict = np.empty(n, [("label", "<u2"), ("sure", "u1"), ("level", "<i4")])
    verdict["label"] = exit[-1].argmax(axis=1)
    verdict["level"] = level
    verdict["sure"] = level >= program.rule.threshold_level
    coded = np.zeros(n, [("n_bytes", "<u2"), ("bytes", "u1", (most,))])
    coded["n_bytes"] = [len(row) for row in rows]
    padded = stacked(rows)
    coded["bytes"][:, : padded.shape[1]] = padded
    return Expected([*head, *exit], verdict, encoder, coded, [*encoder, *tail] if tail else [])


def _run(junctions: list[CJunction], x: Array, *, streamed: bool = False) -> list[Array]:
    """In float32: each sum begins with the bias, and products are added in the order of the table.

    Args:
        streamed: whether the first junction takes its inputs as they come, whatever its encoding.
    """
    given: list[Array] = []
    for junction in junctions:
        shape, encoding = junction.shape, junction.encoding
        if streamed and not given:
            encoding = Encoding("u16", shape.block, shape.table.shape[1], shape.rows)
        rows, inputs = encoding.rows, encoding.inputs(shape)
        total = np.broadcast_to(junction.bias, (len(x), len(junction.bias))).astype(np.float32)
        for k in range(rows.shape[1]):
            total = total + rows[:, k] * x[:, inputs[:, k]]
        x = np.where(total > 0, total, np.float32(0)) if junction.relu else total
        given.append(x)
    return given


def _joined(arrays: list[Array]) -> Array:
    fields: list[Any] = []
    for number, array in enumerate(arrays):
        shape = array.shape[1:]
        fields.append(
            (f"{number}", array.dtype.newbyteorder("<") if not array.dtype.names else array.dtype, shape)
        )
    out = np.zeros(len(arrays[0]), fields)
    for number, array in enumerate(arrays):
        out[f"{number}"] = array
    return out
