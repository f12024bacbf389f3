import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.codec.frequencies import (
    TOTAL,
    check_frequencies,
    fit_frequencies,
    n_shares,
    starts,
    total_bits,
)
from offramp.errors import ConfigError


@pytest.mark.parametrize("bits", [4, 8])
@given(data=st.data())
def test_fitted_frequencies_leave_every_symbol_possible(bits, data):
    shape = st.tuples(st.integers(1, 40), st.integers(1, 4))
    symbols = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, (1 << bits) - 1)))
    frequencies = fit_frequencies(symbols, bits)
    check_frequencies(frequencies, symbols.shape[1], bits)
    table = starts(frequencies, bits)
    assert table.shape == (symbols.shape[1], (1 << bits) + 1)
    assert np.all(np.diff(table, axis=1) >= 1)
    assert np.all(table[:, 0] == 0)
    assert np.all(table[:, -1] == 1 << total_bits(bits))


@pytest.mark.parametrize("bits", [4, 8])
def test_fitted_frequencies_follow_the_counts(bits):
    rng = np.random.default_rng(0)
    symbols = np.where(rng.random((20_000, 1)) < 0.4, 0, rng.integers(1, 1 << bits, (20_000, 1))).astype(
        np.uint8
    )
    shares = np.diff(starts(fit_frequencies(symbols, bits), bits)[0]) / (1 << total_bits(bits))
    assert shares[0] == pytest.approx(0.4, abs=0.02)
    np.testing.assert_allclose(shares[1:], 0.6 / ((1 << bits) - 1), rtol=0.2)


def test_eight_bits_share_a_frequency_among_sixteen_symbols():
    row = (96, 1000, *[200] * 15)
    table = np.diff(starts((row,), 8)[0])
    assert table[0] == 16 * 96 + 1000
    np.testing.assert_array_equal(table[1:16], 1000)
    np.testing.assert_array_equal(table[16:], 200)


@pytest.mark.parametrize(
    ("rows", "bits", "message"),
    [
        ([], 4, "frequencies of 0 features; there are 1"),
        ([[TOTAL]], 4, "1 frequencies of feature 0; 4 bits have 16"),
        ([[256] * 16], 8, "16 frequencies of feature 0; 8 bits have 17"),
        (
            [[255] * 16],
            4,
            "of feature 0 sum to 4080, the least is 255; they sum to 4096, and each is 1 or more$",
        ),
        ([[0, 512, *[256] * 14]], 4, "the least is 0"),
        (
            [[-1, 257, *[256] * 15]],
            8,
            "the least is -1; they sum to 4096, and each is 1 or more but the first",
        ),
        ([[0, 0, 512, *[256] * 14]], 8, "the least is 0"),
        ([[10**30, *[1] * 15]], 4, "sum to 10000"),
    ],
)
def test_frequencies_that_cannot_be_say_why(rows, bits, message):
    with pytest.raises(ConfigError, match=message):
        check_frequencies(rows, 1, bits)


def test_the_extra_of_symbol_zero_may_be_none():
    assert n_shares(8) == 17
    check_frequencies([[0, *[256] * 16]], 1, 8)
