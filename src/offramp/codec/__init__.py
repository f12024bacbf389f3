"""Feature codecs: feature vectors to few bytes, and hostile bytes back to feature vectors."""

from offramp.codec.floats import CODECS, decode, decode_rows, encode, encode_rows, encoded_size

__all__ = ["CODECS", "decode", "decode_rows", "encode", "encode_rows", "encoded_size"]
