"""Feature codecs: feature vectors to few bytes, and hostile bytes back to feature vectors."""

from offramp.codec.codec import Codec, arrived, stacked
from offramp.codec.floats import FloatCodec
from offramp.codec.named import CODECS, check_name, codec_from, fit_codec

__all__ = ["CODECS", "Codec", "FloatCodec", "arrived", "check_name", "codec_from", "fit_codec", "stacked"]
