import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import offramp.codec
from offramp.codec import CODECS, decode, encode, encoded_size
from offramp.errors import ConfigError, InputError, WireError

finite_vectors = hnp.arrays(
    np.float32, st.integers(0, 40), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)


def test_the_public_names_are_these():
    assert offramp.codec.__all__ == ["CODECS", "decode", "encode", "encoded_size"]


@given(features=finite_vectors)
def test_float32_gives_back_every_bit(features):
    decoded = decode(encode(features, "float32"), "float32", len(features))
    assert decoded.dtype == np.float32
    assert decoded.tobytes() == features.tobytes()


@given(features=finite_vectors)
def test_float16_saturates_and_is_otherwise_the_nearest_half(features):
    decoded = decode(encode(features, "float16"), "float16", len(features))
    expected = np.clip(features, -65504, 65504).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("codec", CODECS)
@given(features=finite_vectors)
def test_the_size_is_the_declared_one(codec, features):
    assert len(encode(features, codec)) == encoded_size(codec, len(features))


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.binary(max_size=64), n_features=st.integers(0, 32))
def test_any_bytes_are_a_finite_vector_or_a_wire_error(codec, data, n_features):
    try:
        features = decode(data, codec, n_features)
    except WireError:
        return
    assert features.shape == (n_features,)
    assert np.isfinite(features).all()


def test_bytes_are_little_endian():
    assert encode(np.array([1.0], np.float32), "float32") == b"\x00\x00\x80\x3f"
    assert encode(np.array([1.0], np.float32), "float16") == b"\x00\x3c"


def test_a_wrong_length_names_both_lengths():
    with pytest.raises(WireError, match=r"^7 bytes of features; 2 features as float32 take 8$"):
        decode(bytes(7), "float32", 2)


def test_a_value_that_is_not_finite_is_named_on_both_sides():
    bad = np.array([0, np.nan], np.float32)
    with pytest.raises(InputError, match="feature 1 is nan; only finite"):
        encode(bad, "float16")
    with pytest.raises(WireError, match="feature 1 is nan; every feature must be finite"):
        decode(bad.tobytes(), "float32", 2)


def test_only_a_vector_can_be_coded():
    with pytest.raises(InputError, match=r"shape \(1, 2\)"):
        encode(np.zeros((1, 2), np.float32), "float32")


def test_an_unknown_codec_lists_the_known_ones():
    with pytest.raises(ConfigError, match="unknown codec 'zip'; use one of float32, float16"):
        encode(np.zeros(1, np.float32), "zip")
