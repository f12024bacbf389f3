import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import Preprocessing
from offramp.cli.samples import sample_from_json
from offramp.errors import DataError

DIGIT = Preprocessing((2, 3), "uint8")
TABLE = Preprocessing((3,), "float32")


@given(st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=2, max_size=2))
def test_every_uint8_sample_survives_json(values: list[list[int]]) -> None:
    sample = sample_from_json(json.dumps(values).encode(), DIGIT)
    assert sample.dtype == np.uint8
    assert sample.tolist() == values


@given(st.binary(max_size=40) | st.from_regex(r"[\[\]0-9., -]*").map(str.encode))
def test_any_bytes_give_a_sample_or_a_data_error(line: bytes) -> None:
    try:
        sample = sample_from_json(line, TABLE)
    except DataError:
        return
    assert sample.shape == (3,)
    assert np.isfinite(sample).all()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1, 2, 1e300]", "too large for float32"),
        ("[1, 2, null]", "object (3,)"),
        ('["1", "2", "3"]', "<U1 (3,)"),
        ("[true, false, true]", "bool (3,)"),
        ("[[1, 2], [3]]", "no nested lists of numbers"),
        ("[1, 2, NaN]", "no nested lists of numbers"),
        ("[" * 100_000, "no nested lists of numbers"),
    ],
    ids=["overflow", "null", "text", "booleans", "ragged", "NaN", "deep"],
)
def test_what_is_no_sample_is_named(line: str, words: str) -> None:
    with pytest.raises(DataError) as error:
        sample_from_json(line.encode(), TABLE)
    assert words in str(error.value)
    assert len(str(error.value)) < 300
