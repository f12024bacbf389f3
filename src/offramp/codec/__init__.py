"""Feature codecs: feature vectors to few bytes, and hostile bytes back to feature vectors."""

from offramp.codec.codec import Codec, arrived, stacked
from offramp.codec.floats import FloatCodec
from offramp.codec.grid import Grid
from offramp.codec.grid_fit import fit_grid
from offramp.codec.gridded import GriddedCodec, shortest
from offramp.codec.named import CODECS, check_name, codec_from, fit_codec

__all__ = [
    "CODECS",
    "Codec",
    "FloatCodec",
    "Grid",
    "GriddedCodec",
    "arrived",
    "check_name",
    "codec_from",
    "fit_codec",
    "fit_grid",
    "shortest",
    "stacked",
]
