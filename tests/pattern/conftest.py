"""How Hypothesis draws a feasible junction: `st.from_type(Junction)`."""

from hypothesis import strategies as st

from offramp.pattern import Junction, feasible_out_degrees


@st.composite
def junctions(draw: st.DrawFn) -> Junction:
    # Multiples of a common number, else most junctions would allow only the full pattern.
    common = draw(st.integers(1, 24))
    n_in, n_out = (common * draw(st.integers(1, 8)) for _ in range(2))
    return Junction(n_in, n_out, draw(st.sampled_from(feasible_out_degrees(n_in, n_out))))


st.register_type_strategy(Junction, junctions())
