"""What holds for every codec of a grid: int8 and int4, plain, -zeros and -range."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.codec import CODECS, arrived, codec_from, fit_codec, range_coder, stacked
from offramp.codec.frequencies import TOTAL, n_shares, starts
from offramp.errors import ConfigError, InputError, WireError

FITTED = tuple(name for name in CODECS if name.startswith("int"))
FIXED = ("int8", "int4")
GOLDENS = json.loads((Path(__file__).parent / "goldens" / "codecs.json").read_text(encoding="utf-8"))
N_FEATURES = 11  # an odd number, and a mask that ends inside a byte

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def after_relu(n_rows, n_features=N_FEATURES, seed=0):
    """As a trained head gives them: half of them 0, large ones rare, and one that is never anything else."""
    normal = np.random.default_rng(seed).normal(size=(n_rows, n_features))
    features = np.maximum(normal * np.linspace(0.5, 4, n_features), 0)
    features[:, -1] = 0
    return features.astype(np.float32)


FITTED_CODECS = {name: fit_codec(name, after_relu(4000)) for name in FITTED}


@st.composite
def frequencies(draw, bits):
    """One feature's, often as lopsided as can be."""
    row = [1] * n_shares(bits)
    places = st.integers(0, len(row) - 1)
    for place in draw(st.lists(places, max_size=3)):
        row[place] += draw(st.integers(0, TOTAL - sum(row)))
    row[draw(places)] += TOTAL - sum(row)
    return row


@st.composite
def codecs(draw):
    """Any codec, with steps and frequencies that nobody would fit."""
    name, n_features = draw(st.sampled_from(FITTED)), draw(st.integers(1, 12))

    def each(elements):
        return draw(st.lists(elements, min_size=n_features, max_size=n_features))

    low, step = each(st.floats(-1000, 1000, width=32)), each(st.floats(2.0**-7, 100, width=32))
    parameters = {"low": low, "step": step}
    if name.endswith("range"):
        parameters["frequencies"] = each(frequencies(4 if "int4" in name else 8))
    return codec_from(name, parameters)


@st.composite
def codecs_and_features(draw):
    """A codec and rows for it, inside its levels, on them or anywhere."""
    codec = draw(codecs())
    shape = (draw(st.integers(1, 3)), codec.grid.n_features)
    symbols = draw(hnp.arrays(np.float32, shape, elements=st.integers(0, codec.grid.n_levels - 1)))
    features = codec.grid.place(symbols)
    anywhere = draw(hnp.arrays(np.float32, shape, elements=finite))
    return codec, np.where(draw(hnp.arrays(np.bool_, shape)), anywhere, features)


@given(codec_and_features=codecs_and_features(), padding=st.integers(0, 30))
def test_the_nearest_levels_arrive_whatever_zeros_follow(codec_and_features, padding):
    codec, features = codec_and_features
    n_rows, n_features = features.shape
    rows = codec.encode_rows(features)
    most = codec.max_bytes(n_features)
    assert len(rows) == n_rows
    assert all(1 <= len(row) <= most for row in rows)  # the hard cap, however improbable the features are
    levels = codec.grid.place(codec.grid.symbols(features).astype(np.float32))
    coded = stacked(rows)
    room = 0 if codec.name in FIXED else min(padding, most - coded.shape[1])
    padded = np.pad(coded, ((0, 0), (0, room)))
    np.testing.assert_array_equal(codec.decode_rows(padded, n_features), levels)
    assert codec.encode_rows(features) == rows
    assert [codec.encode_rows(row[None])[0] for row in features] == rows
    assert codec.encode_rows(levels) == rows


@given(codec=codecs(), data=st.data())
def test_any_bytes_are_features_that_code_to_them_or_a_wire_error(codec, data):
    n_features = codec.grid.n_features
    row = data.draw(st.binary(max_size=codec.max_bytes(n_features) + 1))
    try:
        features = codec.decode_rows(np.frombuffer(row, np.uint8)[None], n_features)
    except WireError:
        return
    assert (features.dtype, features.shape) == (np.float32, (1, n_features))
    assert np.isfinite(features).all()
    (again,) = codec.encode_rows(features)
    assert again == (row if codec.name in FIXED else row.rstrip(b"\0") or b"\0")


@pytest.mark.parametrize("name", FITTED)
@settings(max_examples=30)
@given(cut=st.integers(0, 40), flips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 7)), max_size=4))
def test_cut_and_flipped_rows_are_features_or_a_wire_error(name, cut, flips):
    codec = FITTED_CODECS[name]
    for row in map(bytearray, codec.encode_rows(after_relu(3, seed=1))):
        for place, bit in flips:
            row[place % len(row)] ^= 1 << bit
        try:
            features = codec.decode_rows(np.frombuffer(bytes(row[:cut]), np.uint8)[None], N_FEATURES)
        except WireError:
            continue
        assert np.isfinite(features).all()


@pytest.mark.parametrize("name", FITTED)
def test_features_after_relu_keep_their_zeros_and_lose_little(name):
    features = after_relu(300, seed=2)
    back = arrived(FITTED_CODECS[name], features)
    assert not back[features == 0].any()
    error = np.sqrt(np.square(back - features).mean())
    assert error < (0.01 if "int8" in name else 0.15) * features.std()


@pytest.mark.parametrize("bits", ["int8", "int4"])
def test_range_coding_is_shorter_than_leaving_out_zeros_and_that_than_plain(bits):
    features = after_relu(300, seed=3)

    def mean(name):
        return np.mean([len(row) for row in FITTED_CODECS[name].encode_rows(features)])

    assert mean(f"{bits}-range") < mean(f"{bits}-zeros") < mean(bits)


@pytest.mark.parametrize("name", FITTED)
def test_parameters_make_the_same_codec_again(name):
    codec = FITTED_CODECS[name]
    again = codec_from(name, json.loads(json.dumps(codec.parameters())))
    assert again == codec
    assert (again.name, again.digest) == (name, codec.digest)
    assert fit_codec(name, after_relu(4000)) == codec


@pytest.mark.parametrize("name", FITTED)
def test_the_digest_tells_every_change(name):
    parameters = FITTED_CODECS[name].parameters()
    digests = {FITTED_CODECS[name].digest}
    for key, values in parameters.items():
        if key == "frequencies":
            first = list(values[0])
            first[first.index(max(first))] -= 1
            first[-1] += 1
            changed = [first, *values[1:]]
        else:
            changed = [values[0] + 0.5, *values[1:]]
        digests.add(codec_from(name, parameters | {key: changed}).digest)
    digests.add(codec_from(name, {key: values[:-1] for key, values in parameters.items()}).digest)
    assert len(digests) == len(parameters) + 2
    assert all(len(digest) == 16 for digest in digests)


def test_codecs_of_the_same_grid_have_digests_of_their_own():
    parameters = GOLDENS["int8"]["parameters"]
    assert codec_from("int8", parameters).digest != codec_from("int8-zeros", parameters).digest


@pytest.mark.parametrize("name", FITTED)
def test_bytes_are_those_of_the_golden_file(name):
    golden = GOLDENS[name]
    codec = codec_from(name, golden["parameters"])
    features = np.array(golden["features"], np.float32)
    assert codec.digest == golden["digest"]
    assert [row.hex() for row in codec.encode_rows(features)] == golden["rows"]
    assert arrived(codec, features).tobytes().hex() == golden["arrived"]


@pytest.mark.parametrize("name", FITTED)
def test_no_rows_are_no_bytes(name):
    assert FITTED_CODECS[name].encode_rows(np.zeros((0, N_FEATURES), np.float32)) == []


@pytest.mark.parametrize("name", FITTED)
def test_other_widths_are_refused_on_both_sides(name):
    codec = FITTED_CODECS[name]
    told = f"^3 features; codec {name} was fitted to 11; fit one to these$"
    with pytest.raises(InputError, match=told):
        codec.encode_rows(np.zeros((1, 3), np.float32))
    with pytest.raises(ConfigError, match=told):
        codec.max_bytes(3)
    with pytest.raises(WireError, match=told):
        codec.decode_rows(np.zeros((1, 3), np.uint8), 3)


@pytest.mark.parametrize("name", FITTED)
def test_features_that_are_not_finite_are_refused(name):
    with pytest.raises(InputError, match="feature 2 is nan; only finite features can be coded"):
        FITTED_CODECS[name].encode_rows(np.array([[0, 0, np.nan, *[0] * 8]], np.float32))


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("int8", bytes(10), "^10 bytes of features; 11 as int8 take 11$"),
        ("int4", bytes(7), "^7 bytes of features; 11 as int4 take 6$"),
        ("int4", bytes(5) + b"\x10", "a byte with one symbol has bits above it"),
        ("int8-zeros", bytes(14), "^14 bytes of features; 11 as int8-zeros take 1 to 13$"),
        ("int4-range", b"", "^0 bytes of features; 11 as int4-range take 1 to 7$"),
        ("int8-zeros", b"\x00\x08", "0 features are not zero, and more bits than theirs are set"),
        ("int8-zeros", b"\x01\x00\x05\x05", "1 features are not zero, and more bits than theirs are set"),
        ("int4-zeros", b"\x01\x00\x15", "a byte with one symbol has bits above it"),
        ("int4-zeros", b"\x03\x00\x05", "a feature is said not to be zero and is; clear its bit"),
        (
            "int8-range",
            b"\xff" + bytes(11),
            "1 bytes of features behind an escape; without it they are as short",
        ),
        ("int8-range", b"\x12" * 12, "they are damaged"),
    ],
)
def test_rows_that_nobody_writes_say_why(name, row, message):
    with pytest.raises(WireError, match=message):
        FITTED_CODECS[name].decode_rows(np.frombuffer(row, np.uint8)[None], N_FEATURES)


def test_range_coded_rows_longer_than_an_escape_are_refused():
    codec = codec_from("int4-range", GOLDENS["int4-range"]["parameters"])
    symbols = [0, 15, 0, 0, 0]  # the second is rare
    assert codec.encode_rows(codec.grid.place(np.array([symbols], np.float32))) == [b"\xff\xf0"]
    tables = starts(codec.frequencies, 4).tolist()
    coded = range_coder.encode([(t[s], t[s + 1] - t[s]) for t, s in zip(tables, symbols, strict=True)], 12)
    with pytest.raises(WireError, match=r"^3 bytes of coded features; with an escape they are shorter$"):
        codec.decode_rows(np.frombuffer(coded, np.uint8)[None], 5)


@pytest.mark.parametrize("name", FITTED)
def test_a_codec_is_fitted_to_features(name):
    with pytest.raises(InputError, match=rf"codec {name} is fitted to features; \(0, 3\) has none"):
        fit_codec(name, np.zeros((0, 3), np.float32))
    with pytest.raises(InputError, match="feature 0 is inf"):
        fit_codec(name, np.array([[np.inf]], np.float32))
