import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import PatternError
from offramp.pattern import Junction, clash_free
from offramp.pattern.clash_free import _sweeps
from offramp.pattern.pattern import divisors
from offramp.pattern.stream import Stream

types = st.sampled_from([1, 2, 3])
seeds = st.integers(0, 2**64)


@st.composite
def memories(draw: st.DrawFn) -> tuple[Junction, int]:
    junction = draw(st.from_type(Junction))
    return junction, draw(st.sampled_from(divisors(junction.n_in)))


@given(which=memories(), type=types, dither=st.booleans(), seed=seeds)
def test_every_cycle_reads_every_memory_once_and_every_sweep_every_input_once(
    which: tuple[Junction, int], type: int, dither: bool, seed: int
) -> None:
    junction, z = which
    sweeps = _sweeps(junction, type, z, dither, Stream(seed))
    assert sweeps.shape == (junction.out_degree, junction.n_in // z, z)
    assert (np.sort(sweeps % z, axis=2) == np.arange(z)).all()
    in_order = np.sort(sweeps.reshape(junction.out_degree, junction.n_in), axis=1)
    assert (in_order == np.arange(junction.n_in)).all()


@given(which=memories(), type=types, dither=st.booleans(), seed=seeds)
def test_the_pattern_is_the_edges_in_the_order_they_are_read(
    which: tuple[Junction, int], type: int, dither: bool, seed: int
) -> None:
    junction, z = which
    pattern = clash_free(
        junction.n_in, junction.n_out, junction.out_degree, type=type, z=z, dither=dither, seed=seed
    )
    read = _sweeps(junction, type, z, dither, Stream(seed)).reshape(junction.n_out, junction.in_degree)
    assert (np.sort(read, axis=1) == pattern.table).all()


@given(which=memories(), type=st.sampled_from([2, 3]), dither=st.booleans(), seed=seeds)
def test_types_2_and_3_read_a_memory_in_cyclic_order(
    which: tuple[Junction, int], type: int, dither: bool, seed: int
) -> None:
    junction, z = which
    for sweep in _sweeps(junction, type, z, dither, Stream(seed)):
        assert (np.diff(sweep // z, axis=0) % len(sweep) == 1 % len(sweep)).all()
        assert (sweep % z == sweep[0] % z).all()


@pytest.mark.parametrize("dither", [False, True], ids=["plain", "dither"])
@pytest.mark.parametrize("type", [1, 2, 3])
def test_sweeps_differ_except_in_type_3_and_lanes_are_mixed_by_dither_alone(type: int, dither: bool) -> None:
    sweeps = _sweeps(Junction(64, 32, 16), type, 8, dither, Stream(1))
    assert len({s.tobytes() for s in sweeps}) == (1 if type == 3 else 16)
    orders = {tuple(s[0] % 8) for s in sweeps}
    if dither:
        assert len(orders) == (1 if type == 3 else 16)
        assert tuple(range(8)) not in orders
    else:
        assert orders == {tuple(range(8))}
    if type == 1:
        assert (np.diff(sweeps // 8, axis=1) % 8 != 1).any()


@pytest.mark.parametrize("type", [1, 2])
def test_what_opens_a_sweep_is_drawn_evenly_from_what_the_straddling_output_lacks(type: int) -> None:
    # 10 inputs, in-degree 4, one memory: output 2 reads the last 2 of sweep 0, then the first 2 of sweep 1.
    junction, n_seeds = Junction(10, 5, 2), 2000
    assert junction.in_degree == 4
    gaps = np.zeros(10, dtype=int)
    for seed in range(n_seeds):
        first, second = _sweeps(junction, type, 1, False, Stream(seed)).reshape(2, 10)
        assert not {*first[-2:]} & {*second[:2]}
        gaps[(second[0] - first[-1]) % 10] += 1
    possible = gaps[1:] if type == 1 else gaps[1:8]  # type 2: also its second read must be free
    assert gaps.sum() == possible.sum() == n_seeds
    expected = n_seeds / len(possible)
    assert ((possible - expected) ** 2 / expected).sum() < 28  # chi-square, at most 8 degrees of freedom


@pytest.mark.parametrize("z", [1, 10], ids=["one memory, shuffled", "ten memories, dithered"])
def test_what_follows_the_straddling_output_is_any_input_that_is_left(z: int) -> None:
    # As above; of the 8 inputs left for the third read of sweep 1, two were the last ones of sweep 0.
    n_seeds, n_old = 1000, 0
    for seed in range(n_seeds):
        first, second = _sweeps(Junction(10, 5, 2), 1, z, True, Stream(seed)).reshape(2, 10)
        assert not {*first[-2:]} & {*second[:2]}
        n_old += second[2] in first[-2:]
    assert abs(n_old - n_seeds * 2 / 8) < 60  # over four standard deviations


def test_by_default_there_are_about_as_many_memories_as_they_are_deep() -> None:
    for n_in, z in ((800, 25), (64, 8), (13, 1), (1, 1)):
        assert clash_free(n_in, n_in, 1) == clash_free(n_in, n_in, 1, z=z)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"type": 4}, "type=4 is no clash-free type; use 1, 2 or 3", id="type"),
        pytest.param(
            {"z": 5}, "z=5 memories cannot share n_in=12 inputs equally; use z = 1, 2, 3, 4, 6 or 12", id="z"
        ),
        pytest.param({"z": 0}, "z=0 is not usable; give a whole number, 1 or more", id="no memory"),
        pytest.param({"seed": -1}, "seed=-1 is not usable; give a whole number, 0 or more", id="seed"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(PatternError) as caught:
        clash_free(12, 6, 2, **options)
    assert str(caught.value) == message
