"""What a candidate says it costs is what its network costs."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import PatternError
from offramp.nn import SparseLinear
from offramp.pattern import feasible_out_degrees
from offramp.search import Candidate, Space

SPACE = Space({1: (64,), 2: (16, 40)}, 10)


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    """What the space draws, with Optuna's numbers from Hypothesis."""

    class Numbers:
        def suggest_categorical(self, name: str, choices: list[object]) -> object:
            return draw(st.sampled_from(choices))

        def suggest_int(self, name: str, low: int, high: int) -> int:
            return draw(st.integers(low, high))

        def suggest_float(self, name: str, low: float, high: float) -> float:
            return draw(st.floats(low, high))

    trial: optuna.Trial = Numbers()  # type: ignore[assignment]
    return SPACE.draw(trial)


@given(candidates())
def test_costs_are_those_of_the_network(candidate: Candidate) -> None:
    model = candidate.model(seed=1)
    parameters = list(model.parameters())
    tables = [layer.pattern.table.nbytes for layer in model if isinstance(layer, SparseLinear)]
    n_biases = sum(p.numel() for p in parameters if p.ndim == 1)
    assert candidate.n_params == sum(p.numel() for p in parameters)
    assert candidate.n_macs == candidate.n_params - n_biases
    assert candidate.n_bytes == 4 * candidate.n_params + sum(tables)
    sparse = [layer.pattern.block for layer in model if isinstance(layer, SparseLinear)]
    assert [block for block in candidate.blocks if block is not None] == sparse


@given(candidates())
def test_what_is_drawn_has_feasible_degrees_and_small_blocks(candidate: Candidate) -> None:
    for junction in candidate.junctions:
        assert junction.out_degree in feasible_out_degrees(junction.n_in, junction.n_out)
    assert all(side in (1, 2, 4, 8) for block in candidate.blocks if block for side in block)
    assert candidate.neurons[0] in SPACE.inputs[candidate.pool]
    assert candidate.neurons[-1] == 10


@given(candidates())
def test_nothing_drawn_is_smaller_than_the_smallest(candidate: Candidate) -> None:
    assert candidate.n_params >= min(network.n_params for network in SPACE.smallest_networks())
    assert candidate.n_macs >= min(network.n_macs for network in SPACE.smallest_networks())


def test_a_candidate_that_cannot_be_is_refused() -> None:
    with pytest.raises(PatternError, match="out_degree=3 gives 48 edges"):
        Candidate((16, 10, 10), (3, 10))
