import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.codec.grid import Grid
from offramp.codec.grid_fit import fit_grid
from offramp.errors import ConfigError

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
grids = st.builds(
    lambda bits, ends, share: Grid(bits, (ends,), (max(abs(ends), 1.0) * share,)),
    st.sampled_from([4, 8]),
    st.floats(-1e6, 1e6, width=32),
    st.floats(2.0**-15, 1),
)
columns = hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(1)), elements=finite)


def levels(grid):
    symbols = np.arange(grid.n_levels, dtype=np.float32)[:, None]
    return grid.place(np.repeat(symbols, grid.n_features, axis=1))


@given(grid=grids)
def test_every_level_is_its_own_symbol(grid):
    np.testing.assert_array_equal(grid.symbols(levels(grid))[:, 0], np.arange(grid.n_levels))


@given(grid=grids, features=columns)
def test_a_feature_goes_to_the_nearest_level(grid, features):
    there = grid.place(grid.symbols(features).astype(np.float32))
    ends = levels(grid)[[0, -1]].astype(np.float64)
    wanted = np.clip(features.astype(np.float64), *ends)
    slack = 4 * np.spacing(np.abs(ends).max().astype(np.float32))
    assert np.all(np.abs(there - wanted) <= grid.step[0] / 2 + slack)
    assert np.all((there >= ends[0]) & (there <= ends[1]))


def test_levels_are_two_rounded_operations():
    grid = Grid(8, (-0.1,), (0.003,))
    by_hand = np.float32(-0.1) + np.float32(np.float32(201) * np.float32(0.003))
    assert levels(grid)[201, 0].tobytes() == by_hand.tobytes()


def test_halves_go_to_the_even_level():
    np.testing.assert_array_equal(
        Grid(4, (0,), (2,)).symbols(np.array([[1], [3], [5]], np.float32)).T, [[0, 2, 2]]
    )


@pytest.mark.parametrize("bits", [4, 8])
@settings(max_examples=40)
@given(data=st.data())
def test_a_fitted_grid_takes_any_finite_features(bits, data):
    shape = st.tuples(st.integers(1, 12), st.integers(1, 3))
    features = data.draw(hnp.arrays(np.float32, shape, elements=finite))
    grid = fit_grid(features, bits)
    np.testing.assert_array_equal(grid.symbols(levels(grid))[:, 0], np.arange(grid.n_levels))
    low, high = levels(grid)[[0, -1]]
    with_zero = (low <= 0) & (high >= 0)
    back = grid.place(grid.zero[None].astype(np.float32))[0]
    assert not back[with_zero].any()  # 0 stays 0


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("ends", [(1e8, 1e8 + 8), (-3e38, 3e38), (-1e-40, 1e-40), (-5, -5), (-7, 0)])
def test_a_fitted_grid_takes_ends_that_are_too_near_or_too_far(ends, bits):
    features = np.array(ends, np.float32)[:, None]
    back = fit_grid(features, bits).place(fit_grid(features, bits).symbols(features).astype(np.float32))
    np.testing.assert_allclose(back, np.clip(features, -2.1e37, 2.1e37), atol=1, rtol=0.1)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_feature_that_never_changed_may_still_change(bits):
    grid = fit_grid(np.array([[0, 50]] * 5, np.float32), bits)
    later = np.array([[0.8, 80]], np.float32)
    np.testing.assert_allclose(grid.place(grid.symbols(later).astype(np.float32)), later, rtol=0.1)


def test_there_is_one_zero_to_begin_at():
    assert str(Grid(4, (-0.0,), (1,)).low) == "(0.0,)"


@pytest.mark.parametrize("bits", [4, 8])
def test_features_of_one_value_stay_what_they_are(bits):
    constant = np.array([[0.0, 3.5, 1000.0]] * 5, np.float32)
    grid = fit_grid(constant, bits)
    np.testing.assert_array_equal(grid.place(grid.symbols(constant).astype(np.float32)), constant)


def test_the_fitted_grid_loses_less_than_the_whole_range():
    features = np.maximum(np.random.default_rng(0).normal(size=(5000, 3)), 0).astype(np.float32)

    def loss(grid):
        return np.square(grid.place(grid.symbols(features).astype(np.float32)) - features).mean(0)

    whole = Grid(4, (0,) * 3, tuple((features.max(0) / 15).tolist()))
    assert np.all(loss(fit_grid(features, 4)) < 0.9 * loss(whole))
    fine = fit_grid(features, 8)
    assert np.all(loss(fine) < loss(fit_grid(features, 4)) / 50)
    np.testing.assert_array_equal(fine.low, 0)


def test_a_grid_that_nearly_begins_at_zero_begins_there():
    features = np.linspace(0.1, 3, 50, dtype=np.float32)[:, None]
    assert fit_grid(features, 4).low == (0,)
    assert fit_grid(features + 5, 4).low == pytest.approx((5.1,))


@pytest.mark.parametrize(
    ("bits", "low", "step", "message"),
    [
        (5, (0,), (1,), r"^5 bits; use 4 or 8$"),
        (4, (0, 0), (1,), "2 values of low and 1 of step; give each feature one of both"),
        (4, (), (), "0 values of low and 0 of step"),
        (4, (0, np.nan), (1, 1), r"low of feature 1 is nan: use finite numbers up to 8.51e\+37"),
        (4, (0,), (np.inf,), "step of feature 0 is inf: use finite numbers"),
        (8, (0,), (1e300,), r"step of feature 0 is 1e\+300: use finite numbers"),
        (8, (0,), (1e37,), r"step of feature 0 is 9.9\d+e\+36: levels reach 8.51e\+37 at most"),
        (8, (0, 0), (1, 0), "step of feature 1 is 0: a step is 7.89e-31 or more"),
        (8, (0,), (-1,), "step of feature 0 is -1: a step is"),
        (8, (0,), (1e-40,), "step of feature 0 is 9.9.*e-41: a step is"),
        (
            8,
            (1000,),
            (1e-6,),
            "step of feature 0 is 9.9.*e-07: too fine for levels from 1000; a step is 9.54e-07",
        ),
    ],
)
def test_a_grid_that_cannot_be_says_why(bits, low, step, message):
    with pytest.raises(ConfigError, match=message):
        Grid(bits, low, step)
