import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.codec import FloatCodec, arrived, check_name, codec_from, fit_codec, stacked
from offramp.errors import ConfigError, InputError, WireError

CODECS = ("float32", "float16")
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def encode(features, codec):
    (row,) = FloatCodec(codec).encode_rows(features[None])
    return row


def decode(data, codec, n_features):
    return FloatCodec(codec).decode_rows(np.frombuffer(data, np.uint8)[None], n_features)[0]


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
    assert len(encode(features, codec)) == FloatCodec(codec).max_bytes(len(features))


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
    rows = FloatCodec(codec).encode_rows(features)
    assert rows == [encode(row, codec) for row in features]
    decoded = arrived(FloatCodec(codec), features)
    assert (decoded.dtype, decoded.shape) == (np.float32, features.shape)
    for one, row in zip(decoded, rows, strict=True):
        np.testing.assert_array_equal(one, decode(row, codec, features.shape[1]))


def test_rows_need_not_lie_next_to_each_other():
    features = np.arange(12, dtype=np.float32).reshape(2, 6)
    np.testing.assert_array_equal(arrived(FloatCodec("float16"), features[:, ::2])[:, 1], [2, 8])
    apart = np.repeat(stacked(FloatCodec().encode_rows(features)), 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(FloatCodec().decode_rows(apart, 6), features)


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
        FloatCodec("float16").encode_rows(rows)
    with pytest.raises(WireError, match="feature 1 of row 1 is inf; every feature must be finite"):
        FloatCodec().decode_rows(rows.view(np.uint8), 2)


def test_only_rows_can_be_coded():
    with pytest.raises(InputError, match=r"shape \(2,\) cannot be coded; give rows \(n_rows, n_features\)"):
        FloatCodec().encode_rows(np.zeros(2, np.float32))


def test_shorter_rows_are_padded_with_zeros():
    np.testing.assert_array_equal(stacked([b"\1", b"\2\3"]), [[1, 0], [2, 3]])


@pytest.mark.parametrize("make", [check_name, lambda name: fit_codec(name, np.zeros((1, 1), np.float32))])
def test_an_unknown_codec_lists_the_known_ones(make):
    with pytest.raises(ConfigError, match="unknown codec 'zip'; use one of float32, float16"):
        make("zip")


@pytest.mark.parametrize("name", CODECS)
def test_floats_have_nothing_fitted(name):
    codec = fit_codec(name, np.zeros((1, 1), np.float32))
    assert (codec.digest, codec.parameters()) == ("", {})
    assert codec_from(name, {}) == codec == FloatCodec(name)
    with pytest.raises(ConfigError, match=f"codec {name} has no parameters; leave out step"):
        codec_from(name, {"step": 1})


def test_other_names_are_no_floats():
    with pytest.raises(ConfigError, match="no floats are called 'int8'; use one of float32, float16"):
        FloatCodec("int8")
