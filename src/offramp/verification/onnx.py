"""The device in integers under ONNX Runtime, beside its reference: the rung that shares no code with C."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from offramp.errors import MissingDependencyError
from offramp.export import onnx_device_model
from offramp.export.c import Program
from offramp.verification.ladder import Rung
from offramp.verification.reference import Expected

Array = npt.NDArray[Any]

ONNX = "onnxruntime"  # the rung's name, beside those of targets
_AT_ONCE = 1000  # samples: all activations of them are in memory


def verify_onnx(program: Program, expected: Expected, samples: Array) -> Rung:
    """All activations, scores and verdicts of a program in integers, but for the bytes on the wire.

    Args:
        samples: raw, (n, *shape).

    Raises:
        MissingDependencyError: onnx or onnxruntime is not installed.
    """
    started = time.perf_counter()
    session, mismatches, compared = _session(program), 0, 0
    names = [output.name for output in session.get_outputs()]
    for start in range(0, len(samples), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        found = dict(zip(names, session.run(names, {"samples": samples[rows]}), strict=True))
        for values, wanted in _pairs(program, found, expected, rows):
            mismatches += int((values != wanted).sum())
            compared += wanted.size
    return Rung(
        name=ONNX,
        images=len(samples),
        activations_compared=compared,
        mismatches=mismatches,
        seconds=time.perf_counter() - started,
    )


def _pairs(
    program: Program, found: Mapping[str, Array], expected: Expected, rows: slice
) -> Iterator[tuple[Array, Array]]:
    """Each output of the model with what it must be."""
    last = {"head": "features", "encoder": "sent", "exit": "scores"}
    named = {
        name: [*(f"{name}.{i}" for i in range(len(program.parts[name]) - 1)), last[name]]
        for name in last
        if name in program.parts
    }
    layers = [*named["head"], *named["exit"]]
    for name, wanted in zip(layers, expected.layers, strict=True):
        yield found[name], wanted[rows]
    for name, wanted in zip(named.get("encoder", []), expected.encoder, strict=True):
        yield found[name], wanted[rows]
    for name in ("label", "sure", "level"):
        yield found[name], expected.verdict[name][rows]


def _session(program: Program) -> Any:
    model = onnx_device_model(program.bundle, activations=True)
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "this rung needs onnxruntime, which is not installed; run: pip install 'offramp[serve]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
