import numpy as np
import pytest

from offramp.codec.finite import first_not_finite


@pytest.mark.parametrize("place", [0, 16383, 16384, 40_000])
def test_the_first_value_that_is_not_finite_is_found_wherever_it_stands(place):
    values = np.zeros((3, 20_000), np.float32)
    assert first_not_finite(values) is None
    values.flat[place] = np.nan
    values.flat[-1] = np.inf
    assert first_not_finite(values) == place
    assert first_not_finite(values[:, 1::2]) is not None
