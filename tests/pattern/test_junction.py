from fractions import Fraction
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import PatternError
from offramp.pattern import (
    Junction,
    density,
    edge_count,
    feasible_densities,
    feasible_out_degrees,
    in_degree,
    overall_density,
)

widths = st.integers(1, 200)


@given(junction=st.from_type(Junction))
def test_edges_counted_from_either_side_agree(junction: Junction) -> None:
    assert junction.n_in * junction.out_degree == junction.n_edges == junction.n_out * junction.in_degree
    assert 1 <= junction.in_degree <= junction.n_in


@given(junction=st.from_type(Junction))
def test_density_is_the_share_of_the_edges_of_the_full_junction(junction: Junction) -> None:
    assert junction.density == pytest.approx(junction.n_edges / (junction.n_in * junction.n_out))
    assert junction.density == pytest.approx(junction.in_degree / junction.n_in)


@given(n_in=widths, n_out=widths)
def test_an_out_degree_is_feasible_exactly_if_the_outputs_can_share_the_edges(n_in: int, n_out: int) -> None:
    expected = [d for d in range(1, n_out + 1) if n_in * d % n_out == 0]
    assert list(feasible_out_degrees(n_in, n_out)) == expected


@given(n_in=widths, n_out=widths)
def test_feasible_densities_are_the_multiples_of_one_over_the_gcd(n_in: int, n_out: int) -> None:
    common = gcd(n_in, n_out)
    assert feasible_densities(n_in, n_out) == [Fraction(k, common) for k in range(1, common + 1)]


@given(n_in=widths, n_out=widths, out_degree=st.integers(-3, 250))
def test_an_infeasible_junction_is_refused_and_a_feasible_one_is_not(
    n_in: int, n_out: int, out_degree: int
) -> None:
    if out_degree in feasible_out_degrees(n_in, n_out):
        assert Junction(n_in, n_out, out_degree).out_degree == out_degree
    else:
        with pytest.raises(PatternError, match=f"out_degree={out_degree} .*; (use|give) "):
            Junction(n_in, n_out, out_degree)


@given(n_in=widths, n_out=widths, data=st.data())
def test_the_padding_that_the_error_proposes_is_the_smallest_that_helps(
    n_in: int, n_out: int, data: st.DataObject
) -> None:
    out_degree = data.draw(st.integers(1, n_out))
    if out_degree in feasible_out_degrees(n_in, n_out):
        return
    with pytest.raises(PatternError) as caught:
        Junction(n_in, n_out, out_degree)
    padded = int(str(caught.value).split(f"or pad n_in={n_in} to ")[1])
    assert out_degree in feasible_out_degrees(padded, n_out)
    assert not any(out_degree in feasible_out_degrees(n, n_out) for n in range(n_in, padded))


def test_the_functions_give_the_paper_s_numbers() -> None:
    assert in_degree(800, 40, out_degree=2) == 40
    assert edge_count(800, 40, out_degree=2) == 1600
    assert density(800, 40, out_degree=2) == 0.05
    # With 90 biases these 2360 edges are the 2450 parameters of the paper's smallest sparse network.
    assert overall_density([800, 40, 40, 10], [2, 9, 10]) == (1600 + 360 + 400) / (32000 + 1600 + 400)


@pytest.mark.parametrize(
    ("triple", "message"),
    [
        pytest.param(
            (784, 100, 3),
            "out_degree=3 gives 2352 edges, which 100 outputs cannot share equally; use 25, 50, 75 or 100,"
            " or pad n_in=784 to 800",
            id="unequal shares",
        ),
        pytest.param(
            (800, 2400, 7),
            "out_degree=7 gives 5600 edges, which 2400 outputs cannot share equally; use 6, 9 or another"
            " multiple of 3 up to 2400, or pad n_in=800 to 2400",
            id="many feasible degrees: the nearest two",
        ),
        pytest.param(
            (784, 100, 0),
            "out_degree=0 is outside 1..100 (n_out); use 25, 50, 75 or 100",
            id="no edges",
        ),
        pytest.param((80, 40, 41), "out_degree=41 is outside 1..40 (n_out); use 1 to 40", id="too many"),
        pytest.param((7, 3, 2), "use 3, or pad n_in=7 to 9", id="one feasible degree"),
        pytest.param((0, 3, 2), "n_in=0 is not usable; give a whole number, 1 or more", id="no inputs"),
        pytest.param((8, 4.0, 2), "n_out=4.0 is not usable; give a whole number", id="not a whole number"),
        pytest.param((8, 4, "2"), "out_degree='2' is not usable; give a whole number", id="text"),
    ],
)
def test_an_infeasible_junction_says_what_would_be_feasible(
    triple: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(PatternError) as caught:
        Junction(*triple)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overall_density_wants_one_out_degree_for_each_junction() -> None:
    with pytest.raises(
        PatternError, match=r"3 layers with 1 out-degrees do not match; .* one out-degree for"
    ):
        overall_density([8, 4, 2], [2])


def test_numpy_integers_become_plain_ones() -> None:
    junction = Junction(np.int64(8), np.int32(4), np.uint8(2))  # type: ignore[arg-type]
    assert {type(n) for n in (junction.n_in, junction.n_out, junction.out_degree)} == {int}
