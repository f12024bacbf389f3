"""The tail that --tail names: a model of ONNX, or a callable of Python."""

import importlib
import sys
from typing import Any

import numpy as np

from offramp.bundle import Bundle
from offramp.errors import ConfigError
from offramp.runtime import onnx_tail
from offramp.runtime.models import Compute

ONNX = ".onnx"


def given_tail(given: str, bundle: Bundle, *, threads: int) -> Compute:
    """Scores (n, n_classes) of features (n, n_features); tried out on a row of zeros.

    Args:
        given: "FILE.onnx", or "package.module:callable", found like an import from the current folder.

    Raises:
        ConfigError: neither, or a tail that does not fit the bundle.
    """
    tail = onnx_tail(given, bundle, threads=threads) if given.endswith(ONNX) else _callable(given)
    _check(given, tail, bundle)
    return tail


def _callable(given: str) -> Any:
    module, colon, name = given.partition(":")
    if not colon or not module or not name:
        raise ConfigError(f"tail {given!r}; give FILE{ONNX}, or package.module:callable")
    sys.path.insert(0, "")  # the current folder, as `python -m` has it
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # whatever a module does when it is imported
        raise ConfigError(f"tail {given!r} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove("")
    if not callable(found):
        raise ConfigError(
            f"tail {given!r} is {type(found).__name__}, which cannot be called; name a callable"
        )
    return found


def _check(given: str, tail: Compute, bundle: Bundle) -> None:
    shape = 1, bundle.n_sent
    try:
        scores = np.asarray(tail(np.zeros(shape, np.float32)))
    except Exception as error:
        raise ConfigError(
            f"tail {given!r} fails on float32 features {shape}: {type(error).__name__}: {error}"
        ) from error
    if scores.shape != (1, len(bundle.classes)):
        raise ConfigError(
            f"tail {given!r} gives {scores.shape} for features {shape}; scores are {(1, len(bundle.classes))}"
        )
