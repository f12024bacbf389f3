import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp import pattern
from offramp.errors import ConfigError
from offramp.export.c import Shape
from offramp.export.c.costs import (
    COSTS_FILE,
    TERMS,
    Key,
    Price,
    by_input,
    candidates,
    choose,
    chooser,
    price_of,
    priced_targets,
    prices,
    written,
)
from offramp.export.c.junctions import CJunction
from offramp.export.c.streaming import StreamedJunction
from offramp.targets import TARGETS

NAMES = sorted(name for name, target in TARGETS.items() if target.unit)


def shape_of(n_in, n_out, out_degree, *, block=(1, 1), floats=False):
    made = pattern.block(n_in, n_out, out_degree, block=block, seed=1)
    rows = np.ones((n_out, made.in_degree), np.float32 if floats else np.int8)
    return Shape(n_in, n_out, block, made.table, rows)


def test_every_target_that_counts_has_prices() -> None:
    assert sorted(priced_targets()) == NAMES


def test_the_file_is_what_the_benchmark_writes() -> None:
    assert written(prices()) == COSTS_FILE.read_text(encoding="ascii")


@given(
    degree=st.sampled_from([4, 8, 16, 32]),
    block=st.tuples(st.sampled_from([1, 2, 4]), st.sampled_from([1, 2])),
    target=st.sampled_from(NAMES),
    floats=st.booleans(),
)
def test_nothing_is_cheaper_than_what_is_chosen(degree, block, target, floats) -> None:
    shape = shape_of(1024, 64, degree, block=block, floats=floats)
    ways = candidates(shape, target=target)
    small, fast = (choose(shape, target=target, prefer=prefer) for prefer in ("size", "speed"))
    assert small.flash_bytes <= 1.02 * min(one.flash_bytes for one in ways)
    assert fast.count <= 1.02 * min(one.count for one in ways)
    assert small.count <= min(one.count for one in ways if one.flash_bytes <= small.flash_bytes)
    assert all(one.count > 0 for one in ways)
    assert chooser(target)(shape).kind == small.kind


@pytest.mark.parametrize("target", NAMES)
def test_a_junction_that_is_nearly_full_is_dense(target) -> None:
    assert choose(shape_of(64, 32, 30), target=target).kind == "dense"


@pytest.mark.parametrize("target", NAMES)
def test_a_sparse_junction_is_not_dense(target) -> None:
    assert choose(shape_of(800, 40, 2), target=target).kind != "dense"
    assert choose(shape_of(800, 40, 2), target=target, prefer="speed").kind != "dense"


@pytest.mark.parametrize("side", [3, 5, 16])
def test_a_side_that_was_not_measured_costs_as_much_as_its_neighbours_tell(side) -> None:
    def entry(side: int) -> float:
        return price_of(Key("cortex-m0", "int8", "output", "u8", 1, side)).entry

    assert entry(side - 1) < entry(side) < entry(side + 1)


def test_inputs_of_zero_cost_less() -> None:
    target = "cortex-m0"
    shape = shape_of(64, 32, 8)
    encoding = next(one.encoding for one in candidates(shape, target=target) if one.kind == "u8")
    assert encoding is not None
    streamed = StreamedJunction(CJunction("j", "", shape, encoding, None, np.zeros(32, np.float32)), 64)
    all_given, few_given = (by_input(streamed, target=target, zero_share=share).count for share in (0.0, 0.9))
    assert few_given < all_given / 2


def test_a_price_is_the_sum_of_its_terms() -> None:
    price = Price(1, 2, 3, 4, 5, 6)
    assert price.total(dict.fromkeys(TERMS, 10)) == 210


def test_an_unknown_target_is_refused_with_the_names_of_others() -> None:
    with pytest.raises(ConfigError, match=r"unknown target 'z80'; give one of .*cortex-m0.*"):
        choose(shape_of(64, 32, 8), target="z80")
