"""Fronts and the order that halving promotes by."""

from hypothesis import given
from hypothesis import strategies as st

from offramp.search.pareto import Point, front, ranked

POINTS = st.lists(
    st.builds(Point, st.integers(0, 20).map(lambda n: n / 20), st.integers(1, 50)), min_size=1, max_size=30
)


def _beats(a: Point, b: Point) -> bool:
    return a != b and a.merit >= b.merit and a.n_params <= b.n_params


@given(POINTS)
def test_the_front_is_what_no_other_beats(points: list[Point]) -> None:
    chosen = [points[i] for i in front(points)]
    assert set(chosen) == {p for p in points if not any(_beats(q, p) for q in points)}
    assert chosen == sorted(set(chosen), key=lambda p: p.n_params)


@given(POINTS)
def test_every_point_has_one_rank_after_all_that_beat_it(points: list[Point]) -> None:
    order = ranked(points)
    assert sorted(order) == list(range(len(points)))
    place = {index: rank for rank, index in enumerate(order)}
    for i, p in enumerate(points):
        assert all(place[j] < place[i] for j, q in enumerate(points) if _beats(q, p))


def test_the_ends_of_a_front_come_first_then_the_loneliest() -> None:
    points = [Point(0.5, 10), Point(0.52, 11), Point(0.55, 12), Point(0.8, 50), Point(0.9, 100)]
    assert ranked(points) == [4, 0, 3, 2, 1]
