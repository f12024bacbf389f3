"""A model in a file of ONNX as the tail of a bundle."""

from __future__ import annotations

import os
from typing import Any

from offramp.bundle import HEAD_DIGEST_KEY, Bundle
from offramp.errors import ConfigError, MissingDependencyError
from offramp.runtime.models import Compute
from offramp.runtime.network import FloatArray

_ONLY_ERRORS = 3  # of onnxruntime's levels of severity; it would write its warnings to standard error


def onnx_tail(path: str | os.PathLike[str], bundle: Bundle, *, threads: int = 1) -> Compute:
    """The model as a callable for `serve` and `models_of`: features (n, n_features) -> scores (n, n_classes).

    Computed by onnxruntime on the processor. It is trusted like code of one's own: take it from no stranger.

    Args:
        path: of a model with one input, FP32 [any, n_features], and one output, FP32 [any, n_classes]. One
            that says of which head it understands features, as ours do, must be of the bundle's.
        threads: of onnxruntime, for one call.

    Raises:
        ConfigError: no such file, no model that onnxruntime can run, or one that does not fit the bundle.
        MissingDependencyError: onnxruntime is not installed.
    """
    session = _session(path, threads)
    reads = _only(path, session.get_inputs(), "input", bundle.n_sent)
    writes = _only(path, session.get_outputs(), "output", len(bundle.classes))
    _check_head(path, session, bundle)

    def compute(features: FloatArray) -> Any:
        return session.run([writes], {reads: features})[0]

    return compute


def _session(path: str | os.PathLike[str], threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "a tail of ONNX needs onnxruntime, which is not installed; run: pip install 'offramp[serve]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    if not os.path.isfile(path):
        raise ConfigError(f"{path}: no such file; give a model of ONNX")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no class in common
        why = str(error).partition("\n")[0]
        raise ConfigError(f"{path}: onnxruntime cannot run it ({why}); export the tail anew") from error


def _only(path: object, tensors: list[Any], what: str, width: int) -> str:
    """The name of the only input, or output, if it has this width."""
    if len(tensors) != 1:
        raise ConfigError(f"{path}: {len(tensors)} {what}s; a tail has one, features, and gives one, scores")
    tensor = tensors[0]
    if tensor.type != "tensor(float)" or not _fits(tensor.shape, width):
        shape = ", ".join(map(str, tensor.shape))
        raise ConfigError(
            f"{path}: {what} {tensor.name!r} is {tensor.type} [{shape}]; this bundle's tail has tensor(float)"
            f" [any, {width}]"
        )
    return str(tensor.name)


def _fits(shape: list[Any], width: int) -> bool:
    """Whether it takes any number of rows of this width; a size that is not fixed is a word or None."""
    if len(shape) != 2 or isinstance(shape[0], int):
        return False
    return shape[1] == width or not isinstance(shape[1], int)


def _check_head(path: object, session: Any, bundle: Bundle) -> None:
    understood = session.get_modelmeta().custom_metadata_map.get(HEAD_DIGEST_KEY)
    if understood not in (None, bundle.features_digest):
        raise ConfigError(
            f"{path}: understands features of head {understood[:12]!r}, this bundle has head"
            f" {bundle.features_digest[:12]!r}; export the tail of this bundle"
        )
