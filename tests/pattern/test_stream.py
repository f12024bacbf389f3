import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import PatternError
from offramp.pattern.stream import Stream


@given(seed=st.integers(0, 2**70), n=st.integers(0, 200))
def test_a_permutation_has_every_number_once(seed: int, n: int) -> None:
    assert sorted(Stream(seed).permutation(n)) == list(range(n))


@given(seed=st.integers(0, 2**70), data=st.data())
def test_late_numbers_come_after_all_others(seed: int, data: st.DataObject) -> None:
    rows, n = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 40))
    late = np.array(data.draw(st.lists(st.booleans(), min_size=rows * n, max_size=rows * n))).reshape(rows, n)
    drawn = Stream(seed).permutations(late)
    assert (np.sort(drawn, axis=1) == np.arange(n)).all()
    assert (np.diff(np.take_along_axis(late, drawn, axis=1).astype(int), axis=1) >= 0).all()


@given(seed=st.integers(0, 2**70), bounds=st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=50))
def test_bounded_numbers_stay_below_their_bounds(seed: int, bounds: list[int]) -> None:
    drawn = Stream(seed).below(np.array(bounds))
    assert ((drawn >= 0) & (drawn < bounds)).all()


def test_every_order_of_four_is_equally_likely() -> None:
    drawn = Stream(0).permutations(np.zeros((24_000, 4), dtype=bool))
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert ((counts - 1000) ** 2 / 1000).sum() < 50  # chi-square, 23 degrees of freedom: 1 in 1000 by chance


def test_bounded_numbers_are_equally_likely() -> None:
    counts = np.bincount(Stream(0).below(np.full(10_000, 10)))
    assert ((counts - 1000) ** 2 / 1000).sum() < 28  # chi-square, 9 degrees of freedom: 1 in 1000 by chance


def test_a_stream_goes_on_and_another_of_the_same_seed_repeats_it() -> None:
    first, second = Stream(7), Stream(7)
    draws = [first.permutation(50).tolist() for _ in range(2)]
    assert draws[0] != draws[1]
    assert draws == [second.permutation(50).tolist() for _ in range(2)]


def test_words_and_what_is_made_of_them_never_change() -> None:
    stream = Stream(2024)
    assert Stream(0).permutation(10).tolist() == [3, 2, 1, 8, 6, 0, 7, 4, 5, 9]
    assert stream.permutation(8).tolist() == [6, 5, 7, 1, 2, 0, 3, 4]
    assert stream.below(np.array([10, 100, 1000, 2**31 - 1])).tolist() == [6, 96, 216, 145212134]


@pytest.mark.parametrize("seed", [-1, 1.5, None], ids=str)
def test_a_seed_that_is_no_whole_number_is_refused(seed: int) -> None:
    with pytest.raises(PatternError, match=f"seed={seed} is not usable; give a whole number, 0 or more"):
        Stream(seed)
