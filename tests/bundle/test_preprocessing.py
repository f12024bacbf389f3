import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.bundle import Preprocessing
from offramp.errors import ConfigError, DataError

finite = st.floats(-1e6, 1e6, width=32)


@st.composite
def settings_and_samples(draw):
    """A preprocessing, and raw samples for it."""
    pool = draw(st.integers(1, 3))
    side = st.integers(1, 4).map(lambda n: n * pool)
    shape = (draw(side), draw(side))
    if pool == 1 and draw(st.booleans()):
        shape = shape[:1]
    n_values = math.prod(shape) // pool ** (2 if len(shape) == 2 else 0)
    affine = finite | st.lists(finite, min_size=n_values, max_size=n_values).map(tuple)
    chosen = Preprocessing(
        shape,
        draw(st.sampled_from(["uint8", "float32"])),
        pool=pool,
        offset=draw(affine),
        scale=draw(affine),
        pad_to=draw(st.none() | st.integers(n_values, n_values + 5)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    raw = rng.integers(0, 256, (draw(st.integers(0, 9)), *shape))
    raw = raw.astype(np.uint8) if chosen.dtype == "uint8" else (raw * rng.random()).astype(np.float32)
    return chosen, raw


@given(settings_and_samples())
@settings(deadline=None)
def test_a_sample_gives_the_same_bits_alone_and_in_any_batch(case):
    preprocess, raw = case
    together = preprocess(raw)
    assert together.dtype == np.float32
    assert together.shape == (len(raw), preprocess.n_features)
    assert together.flags.c_contiguous
    for i in range(len(raw)):
        assert preprocess(raw[i : i + 1]).tobytes() == together[i : i + 1].tobytes()
    strided = np.asfortranarray(raw)
    assert preprocess(strided).tobytes() == together.tobytes()


@given(settings_and_samples())
@settings(deadline=None)
def test_it_pools_flattens_shifts_scales_and_pads(case):
    preprocess, raw = case
    p, exact = preprocess.pool, raw.astype(np.float64)
    if len(preprocess.shape) == 2:
        rows, columns = preprocess.shape
        exact = exact.reshape(-1, rows // p, p, columns // p, p).mean(axis=(2, 4))
    exact = exact.reshape(len(raw), preprocess.n_values)
    expected = (exact - np.asarray(preprocess.offset)) * np.asarray(preprocess.scale)
    result = preprocess(raw)
    assert result.shape == (len(raw), preprocess.pad_to or preprocess.n_values)
    scale = np.abs(np.asarray(preprocess.scale)) * (np.abs(exact) + np.abs(np.asarray(preprocess.offset)))
    assert (np.abs(result[:, : preprocess.n_values] - expected) <= 1e-6 * scale + 1e-30).all()
    assert (result[:, preprocess.n_values :] == 0).all()


@given(settings_and_samples())
@settings(deadline=None)
def test_it_comes_back_from_json_as_it_was(case):
    preprocess, _ = case
    assert msgspec.json.decode(msgspec.json.encode(preprocess), type=Preprocessing) == preprocess


def test_an_image_is_averaged_over_windows():
    raw = np.array([[[1, 3, 0, 0], [5, 7, 0, 255]]], np.uint8)
    assert Preprocessing((2, 4), "uint8", pool=2)(raw).tolist() == [[4, 63.75]]


@pytest.mark.parametrize(
    "raw",
    [np.zeros((2, 3), np.uint8), np.zeros((4,), np.uint8), np.zeros((2, 4)), np.zeros((2, 4), np.float32)],
    ids=["other shape", "no batch", "float64", "float32"],
)
def test_samples_of_another_shape_or_type_are_the_callers_fault(raw):
    with pytest.raises(
        DataError, match=r"samples are .*; this network takes uint8 \(N, 4\), a single sample as N = 1"
    ):
        Preprocessing((4,), "uint8")(raw)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38], ids=str)
def test_a_sample_that_is_not_finite_or_would_overflow_is_named(value):
    raw = np.zeros((3, 2), np.float32)
    raw[1, 1] = value
    with pytest.raises(DataError, match="sample 1 of 3 holds NaN, infinity or a value too large to scale"):
        Preprocessing((2,), "float32", scale=10.0)(raw)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": (5, 4), "pool": 2}, r"pool=2 on samples of shape \(5, 4\); it must divide the sides"),
        ({"shape": (4,), "pool": 2}, "it must divide the sides of 2-D samples"),
        ({"shape": (4, 4), "pool": 0}, "pool=0; use 1 for no pooling, or a side of at least 2"),
        ({"shape": ()}, r"sample shape \(\); give 1 to 4 sides"),
        ({"shape": (4, 0)}, "sides of at least 1"),
        ({"shape": (4,), "dtype": "int8"}, "samples of type 'int8'; use uint8 or float32"),
        ({"shape": (4,), "pad_to": 3}, "pad_to=3 is less than the 4 values of a sample"),
        ({"shape": (4,), "scale": (1.0, 2.0)}, "2 numbers as scale; give one, or 4: one for each value"),
        ({"shape": (4,), "offset": math.nan}, "offset holds a number that is not finite in float32"),
        ({"shape": (4,), "scale": 1e39}, "scale holds a number that is not finite in float32"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_settings_that_exclude_one_another_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        Preprocessing(**({"dtype": "uint8"} | fields))
