import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.data import SPLITS, Dataset, load, preprocessing_for
from offramp.errors import ConfigError


def dataset(x, **changes):
    y = np.arange(len(x)) % 2
    splits = dict(zip(SPLITS, np.array_split(np.arange(len(x)), 4), strict=True))
    return Dataset("toy", x, y, ("no", "yes"), splits, **changes)


def test_images_of_bytes_are_scaled_to_one_by_their_full_scale():
    digits = load("digits")
    chosen = preprocessing_for(digits, pool=2, pad_to=20)
    assert (chosen.shape, chosen.dtype, chosen.pool, chosen.n_features) == ((8, 8), "uint8", 2, 20)
    assert (chosen.offset, chosen.scale) == (0.0, 1 / 16)
    values = preprocessing_for(digits)(digits.x)
    assert (values.min(), values.max()) == (0, 1)
    photos = dataset(np.full((8, 4, 4), 255, np.uint8))
    assert preprocessing_for(photos)(photos.x).max() == 1


@given(
    seed=st.integers(0, 999), shape=st.sampled_from([(3,), (2, 4), (2, 2, 2)]), pool=st.sampled_from([1, 2])
)
@settings(max_examples=30, deadline=None)
def test_everything_else_is_standardised_on_the_training_split_after_pooling(seed, shape, pool):
    rng = np.random.default_rng(seed)
    pool = pool if len(shape) == 2 else 1
    data = dataset(rng.normal(5, 3, (80, *shape)).astype(np.float32))
    chosen = preprocessing_for(data, pool=pool, pad_to=9)
    assert chosen.n_features == 9
    values = chosen(data.split("train")[0])[:, : chosen.n_values]
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-5)


def test_tables_of_bytes_are_standardised_too():
    data = dataset(np.random.default_rng(0).integers(0, 256, (80, 3), dtype=np.uint8))
    values = preprocessing_for(data)(data.split("train")[0])
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 7.1, 1e30, 1e-40], ids=str)
def test_a_constant_feature_is_centred_but_not_scaled(value):
    x = np.random.default_rng(0).standard_normal((80, 2), dtype=np.float32)
    x[:, 1] = value
    x[-1, 1] = value + 2.5  # not in the training split
    chosen = preprocessing_for(dataset(x))
    assert chosen.scale[1] == 1
    assert (chosen(x)[:20, 1] == 0).all()


def test_a_feature_that_hardly_varies_does_not_overflow():
    x = np.zeros((80, 1), np.float32)
    x[::2] = 1e-42
    assert preprocessing_for(dataset(x)).scale == (1.0,)


def test_settings_that_the_samples_do_not_allow_are_refused():
    with pytest.raises(ConfigError, match="pool=3 on samples of shape"):
        preprocessing_for(load("digits"), pool=3)
    with pytest.raises(ConfigError, match="pad_to=10 is less than the 64 values"):
        preprocessing_for(load("digits"), pad_to=10)
