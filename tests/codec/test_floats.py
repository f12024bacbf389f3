import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.codec import CODECS, decode, decode_rows, encode, encode_rows, encoded_size
from offramp.errors import ConfigError, InputError, WireError

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
finite_vectors = hnp.arrays(np.float32, st.integers(0, 40), elements=finite)


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


@pytest.mark.parametrize("codec", CODECS)
@given(features=hnp.arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(0, 5)), elements=finite))
def test_many_rows_are_coded_as_each_is_alone(codec, features):
    n_rows, n_features = features.shape
    rows = encode_rows(features, codec)
    assert (rows.dtype, rows.shape) == (np.uint8, (n_rows, encoded_size(codec, n_features)))
    assert [row.tobytes() for row in rows] == [encode(row, codec) for row in features]
    decoded = decode_rows(rows, codec, n_features)
    assert (decoded.dtype, decoded.shape) == (np.float32, features.shape)
    for one, row in zip(decoded, rows, strict=True):
        np.testing.assert_array_equal(one, decode(row.tobytes(), codec, n_features))


def test_rows_need_not_lie_next_to_each_other():
    features = np.arange(12, dtype=np.float32).reshape(2, 6)
    np.testing.assert_array_equal(
        decode_rows(encode_rows(features[:, ::2], "float16"), "float16", 3)[:, 1], [2, 8]
    )
    apart = np.repeat(encode_rows(features, "float32"), 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(decode_rows(apart, "float32", 6), features)


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
    rows = np.array([[0, 1], [2, np.inf]], np.float32)
    with pytest.raises(InputError, match="feature 1 of row 1 is inf; only finite"):
        encode_rows(rows, "float16")
    with pytest.raises(WireError, match="feature 1 of row 1 is inf; every feature must be finite"):
        decode_rows(rows.view(np.uint8), "float32", 2)


def test_only_a_vector_or_rows_can_be_coded():
    with pytest.raises(InputError, match=r"shape \(1, 2\) cannot be coded; give one vector \(n_features,\)"):
        encode(np.zeros((1, 2), np.float32), "float32")
    with pytest.raises(InputError, match=r"shape \(2,\) cannot be coded; give rows \(n_rows, n_features\)"):
        encode_rows(np.zeros(2, np.float32), "float32")


def test_an_unknown_codec_lists_the_known_ones():
    with pytest.raises(ConfigError, match="unknown codec 'zip'; use one of float32, float16"):
        encode(np.zeros(1, np.float32), "zip")
