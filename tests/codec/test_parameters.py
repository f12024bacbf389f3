import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.codec import codec_from
from offramp.errors import ConfigError

GOLDENS = json.loads((Path(__file__).parent / "goldens" / "codecs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": None}, "low is None; give a list"),
        ({"low": ["0"] * 5}, "low holds '0'; use numbers"),
        ({"step": [True] * 5}, "step holds True; use numbers"),
        ({"step": [10**400] * 5}, "step holds a whole number beyond any float"),
        ({"step": [0.1] * 4}, "5 values of low and 4 of step"),
        ({"frequencies": 3}, "frequencies is 3; give a list"),
        ({"frequencies": [3]}, "frequencies is 3; give a list"),
        ({"low": 10**5000}, "low is of type int; give a list"),
        ({"low": {"a": 10**5000}}, "low is of type dict; give a list"),
        ({"low": ["a" * 99] * 5}, r"low holds 'a{36}\.\.\.; use numbers"),
        (
            {"frequencies": [[256.0] * 16] * 5},
            "frequencies hold 256.0; use whole numbers from 0 to 2147483647",
        ),
        ({"frequencies": [[True] * 16] * 5}, "frequencies hold True; use whole numbers"),
        ({"frequencies": [[-1] * 16] * 5}, "frequencies hold -1; use whole numbers"),
        ({"frequencies": [[10**5000] * 16] * 5}, "frequencies hold of type int; use whole numbers"),
        ({"frequencies": [[256] * 16] * 4}, "frequencies of 4 features; there are 5"),
        ({"extra": 1, "more": 2}, "codec int4-range takes low, step, frequencies; leave out extra, more"),
    ],
)
def test_hostile_parameters_say_why(change, message):
    with pytest.raises(ConfigError, match=message):
        codec_from("int4-range", GOLDENS["int4-range"]["parameters"] | change)


def test_a_missing_parameter_is_named():
    with pytest.raises(ConfigError, match="codec int8 without parameter 'step'; give low, step"):
        codec_from("int8", {"low": [0]})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)


@pytest.mark.parametrize("name", GOLDENS)
@settings(max_examples=30)
@given(data=st.data())
def test_any_parameters_are_a_codec_or_a_config_error(name, data):
    keys = GOLDENS[name]["parameters"]
    lists = st.lists(st.floats() | st.integers(), max_size=3) | st.lists(
        st.lists(st.integers(), max_size=17), max_size=2
    )
    parameters = data.draw(st.fixed_dictionaries(dict.fromkeys(keys, lists | json_values)))
    try:
        codec = codec_from(name, parameters)
    except ConfigError:
        return
    assert codec_from(name, codec.parameters()) == codec
