"""Codecs by name: fitted to features, or made again from what was fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.codec.codec import Codec
from offramp.codec.finite import check_rows
from offramp.codec.floats import FloatCodec
from offramp.codec.frequencies import fit_frequencies
from offramp.codec.grid import Grid
from offramp.codec.grid_fit import fit_grid
from offramp.codec.parameters import check_parameters, numbers, rows_of_integers
from offramp.codec.quantised import QuantisedCodec
from offramp.codec.ranged import RangeCodec
from offramp.codec.zeros import ZerosCodec
from offramp.errors import ConfigError, InputError

_FLOATS = ("float32", "float16")
_BITS = {"int8": 8, "int4": 4}  # of the names' first halves
# by the second halves
_Kind = type[QuantisedCodec] | type[ZerosCodec] | type[RangeCodec]
_KINDS: dict[str, _Kind] = {
    "": QuantisedCodec,
    "zeros": ZerosCodec,
    "range": RangeCodec,
}
CODECS = (*_FLOATS, *(f"{bits}-{kind}".rstrip("-") for kind in _KINDS for bits in _BITS))


def check_name(name: str) -> None:
    """Raise ConfigError unless a codec has this name."""
    if name not in CODECS:
        raise ConfigError(f"unknown codec {name!r}; use one of {', '.join(CODECS)}")


def fit_codec(name: str, features: npt.NDArray[np.float32]) -> Codec:
    """The codec of this name, with what it needs to know of the features.

    Args:
        name: one of CODECS.
        features: (n, n_features) of training samples, best of such as will be offloaded; floats need none.

    Raises:
        ConfigError: no codec has this name.
        InputError: no rows of finite features.
    """
    check_name(name)
    if name in _FLOATS:
        return FloatCodec(name)
    check_rows(features)
    if 0 in features.shape:
        raise InputError(f"codec {name} is fitted to features; {features.shape} has none")
    kind, bits = _kind(name)
    grid = fit_grid(features, bits)
    if issubclass(kind, RangeCodec):
        return RangeCodec(grid, fit_frequencies(grid.symbols(features), bits))
    return kind(grid)


def codec_from(name: str, parameters: Mapping[str, Any]) -> Codec:
    """The codec whose `parameters()` these are, which may come from anybody.

    Raises:
        ConfigError: an unknown name, or parameters that are none of this codec's.
    """
    check_name(name)
    if name in _FLOATS:
        check_parameters(name, parameters, ())
        return FloatCodec(name)
    kind, bits = _kind(name)
    fitted = ("frequencies",) if issubclass(kind, RangeCodec) else ()
    check_parameters(name, parameters, ("low", "step", *fitted))
    grid = Grid(bits, numbers("low", parameters["low"]), numbers("step", parameters["step"]))
    if issubclass(kind, RangeCodec):
        return RangeCodec(grid, rows_of_integers("frequencies", parameters["frequencies"]))
    return kind(grid)


def _kind(name: str) -> tuple[_Kind, int]:
    bits, _, kind = name.partition("-")
    return _KINDS[kind], _BITS[bits]
