"""Several seeds, one statement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.cli.spread import spread


def test_the_margin_is_students() -> None:
    # 2.776 and 12.706: any table of t for 4 and 1 degrees of freedom, 95% two-sided.
    five = [0.91, 0.92, 0.93, 0.94, 0.95]
    assert spread(five).mean == pytest.approx(0.93)
    assert spread(five).margin == pytest.approx(2.776 * np.std(five, ddof=1) / 5**0.5, rel=1e-3)
    assert spread([0.9, 1.0]).margin == pytest.approx(12.706 * 0.05, rel=1e-3)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0.1, 10), st.floats(-5, 5))
def test_it_scales_and_shifts_with_the_values(values: list[float], scale: float, shift: float) -> None:
    plain, other = spread(values), spread([scale * value + shift for value in values])
    assert other.mean == pytest.approx(scale * plain.mean + shift, abs=1e-9)
    assert other.margin == pytest.approx(scale * plain.margin, abs=1e-9)


def test_equal_values_leave_no_doubt() -> None:
    assert spread([0.5, 0.5, 0.5]) == (0.5, 0.0)
