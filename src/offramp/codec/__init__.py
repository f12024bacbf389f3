"""Feature codecs: a feature vector to few bytes, and hostile bytes back to a feature vector."""

from offramp.codec.floats import CODECS, decode, encode, encoded_size

__all__ = ["CODECS", "decode", "encode", "encoded_size"]
