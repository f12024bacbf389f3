"""Which network stands for which dense row."""

from hypothesis import given
from hypothesis import strategies as st

from offramp.experiments import select_rows
from offramp.experiments.searched import FACTOR, Find, Network, choose

ROWS = select_rows("dense")


def _network(width: int) -> Network:
    return Network((40, width, 10), (width, 10), (1, 1))


@given(st.lists(st.tuples(st.integers(5, 400), st.floats(0.1, 1)), max_size=30))
def test_a_row_gets_the_most_accurate_of_those_that_are_four_times_smaller(
    drawn: list[tuple[int, float]],
) -> None:
    finds = [Find(_network(width), accuracy) for width, accuracy in drawn]
    chosen = choose(finds, ROWS)
    for row in ROWS:
        small = [one for one in finds if one.network.parameters * FACTOR <= row.parameters]
        if not small:
            assert row.number not in chosen
            continue
        best = chosen[row.number]
        assert best in small
        for one in small:
            assert one.validation_accuracy <= best.validation_accuracy
            if one.validation_accuracy == best.validation_accuracy:
                assert one.network.parameters >= best.network.parameters


def test_a_network_that_is_one_parameter_too_large_is_not_taken() -> None:
    (row,) = select_rows("1")  # 2,455 parameters: at most 613
    fits, too_large = Network((40, 12, 10), (10, 10), (1, 1)), Network((40, 12, 10), (11, 10), (1, 1))
    assert (fits.parameters, too_large.parameters) == (542, 582)
    larger = Network((44, 12, 10), (11, 9), (1, 1))
    assert larger.parameters == 614
    assert choose([Find(larger, 0.9), Find(too_large, 0.8)], [row])[1].network is too_large


def test_what_changes_nothing_makes_no_other_network() -> None:
    assert Network((8, 4, 2), (4, 2), (4, 4), 1, 0.0, 4.0) == Network((8, 4, 2), (4, 2), (1, 2), 1, 0.0, 2.0)
    assert Network((8, 4, 2), (2, 2), (4, 4)) != Network((8, 4, 2), (2, 2), (2, 2))
    assert Network((8, 4, 2), (2, 2), (4, 4), 1, 0.5, 4.0) != Network((8, 4, 2), (2, 2), (4, 4), 1, 0.5, 2.0)


def test_every_network_has_a_name_of_its_own() -> None:
    networks = [
        Network((8, 4, 2), (2, 2), (4, 4)),
        Network((8, 4, 2), (2, 2), (2, 2)),
        Network((8, 4, 2), (2, 2), (4, 4), pooling=2),
        Network((8, 4, 2), (2, 2), (4, 4), distill_weight=0.5, temperature=4.0),
        Network((8, 4, 2), (2, 2), (4, 4), distill_weight=0.5, temperature=2.0),
        Network((8, 4, 2), (4, 2), (4, 4)),
    ]
    assert len({network.name for network in networks}) == len(networks)
    assert networks[3].name == "8_4_2-2_2-4x4-pool1-taught0.5at4"
