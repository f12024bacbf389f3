"""Codecs by name: fitted to features, or made again from what was fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.codec.codec import Codec, no_parameters
from offramp.codec.floats import FloatCodec
from offramp.errors import ConfigError

CODECS = ("float32", "float16")


def check_name(name: str) -> None:
    """Raise ConfigError unless a codec has this name."""
    if name not in CODECS:
        raise ConfigError(f"unknown codec {name!r}; use one of {', '.join(CODECS)}")


def fit_codec(name: str, features: npt.NDArray[np.float32]) -> Codec:
    """The codec of this name, with what it needs to know of the features.

    Args:
        name: one of CODECS.
        features: (n, n_features) of training samples; floats need none of them.

    Raises:
        ConfigError: no codec has this name.
        InputError: no rows of finite features.
    """
    check_name(name)
    return FloatCodec(name)


def codec_from(name: str, parameters: Mapping[str, Any]) -> Codec:
    """The codec whose `parameters()` these are, which may come from anybody.

    Raises:
        ConfigError: an unknown name, or parameters that are none of this codec's.
    """
    check_name(name)
    no_parameters(name, parameters)
    return FloatCodec(name)
