"""A quantisation goes to disk and back, and one that does not fit its parts is refused."""

from dataclasses import replace

import numpy as np
import pytest

from offramp.bundle import Preprocessing, Quantisation, read, write
from offramp.codec import CODECS, Grid, fit_codec
from offramp.errors import BundleError
from offramp.exits import ExitRule


def grid(n, low=0.0, bits=8):
    return Grid(bits, (low,) * n, (0.1,) * n)


RULE = ExitRule(0.5, "learned", weights=(0.1, 0.2, 0.3, 0.4), evidence={"n": 3})
FITTING = Quantisation(None, {"head": (grid(8),), "exit": ()}, RULE, {"why": "a test"})


@pytest.fixture
def quantised(workshop):
    """Head 16 -> 8 with a ReLU, exit 8 -> 3, codec float16."""
    return workshop.build(quantisation=FITTING)


def test_a_quantisation_comes_back_as_it_was(quantised, tmp_path):
    write(quantised, tmp_path / "tiny")
    assert read(tmp_path / "tiny").quantisation == FITTING
    assert read(tmp_path / "tiny", parts=["tail"]).quantisation == FITTING


@pytest.mark.parametrize("codec", [name for name in CODECS if name.startswith("int")])
def test_a_codec_with_a_grid_takes_the_place_of_the_last_one(workshop, tmp_path, codec):
    fitted = fit_codec(codec, np.random.default_rng(0).random((20, 8), np.float32))
    bundle = workshop.build(codec=fitted, quantisation=replace(FITTING, grids={"head": (), "exit": ()}))
    write(bundle, tmp_path / "tiny")
    assert read(tmp_path / "tiny") == bundle
    with pytest.raises(BundleError, match="1 grids for 0 junctions of the head; give one for each"):
        replace(bundle, quantisation=FITTING)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grids": {}}, "0 grids for 1 junctions of the head; give one for each"),
        ({"grids": {"head": (grid(8), grid(8))}}, "2 grids for 1 junctions of the head"),
        ({"grids": {"head": (grid(8),), "exit": (grid(3),)}}, "1 grids for 0 junctions of the exit"),
        (
            {"grids": {"head": (grid(7),)}},
            "the grid of junction 1 of the head has 8 bits and 7 features; give it 8, and 8",
        ),
        ({"grids": {"head": (grid(8, bits=4),)}}, "has 4 bits and 8 features; give it 8, and 8"),
        ({"grids": {"head": (grid(8, low=-1.0),)}}, "begins at -1, behind a ReLU; give 0 or more"),
        (
            {"grids": {"head": (grid(8),), "encoder": (grid(2),)}},
            "grids for 'encoder'; this network has them for head, exit",
        ),
        ({"input": grid(1)}, "a grid of 8 bits and 1 features for inputs of uint8; give none to bytes"),
        ({"rule": ExitRule(0.5, "learned", weights=(1.0, 2.0))}, "an exit rule with 2 weights for 3 classes"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_quantisation_that_does_not_fit_is_refused(quantised, changes, message):
    with pytest.raises(BundleError, match=message):
        replace(quantised, quantisation=replace(FITTING, **changes))


def test_samples_that_are_no_bytes_need_a_grid_of_one_low_and_step(quantised):
    floats = Preprocessing((3, 4), "float32", pad_to=16)
    with pytest.raises(BundleError, match="no grid for inputs of float32; run offramp quantise again"):
        replace(quantised, preprocessing=floats)
    with pytest.raises(BundleError, match="a grid of 8 bits and 16 features for inputs of float32; give"):
        replace(quantised, preprocessing=floats, quantisation=replace(FITTING, input=grid(16)))
    replace(quantised, preprocessing=floats, quantisation=replace(FITTING, input=grid(1)))


def hostile(path, value):
    """An edit that puts this value at a path inside the quantisation."""

    def edit(content):
        place = content["quantisation"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return edit


STEP = ["grids", "head", 0, "step"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (STEP, [0.1] * 7, "8 values of low and 7 of step; give each feature one of both"),
        (STEP, [0.1] * 7 + [-0.1], "step of feature 7 is -0.1.*: a step is 7.89e-31 or more"),
        (STEP, [0.0] * 8, "step of feature 0 is 0: a step is"),
        (STEP, [1e300] * 8, "use finite numbers up to"),
        (STEP, [None] * 8, "Expected `float`, got `null`"),
        (STEP, "NaN", "Expected `array`, got `str`"),
        (["grids", "head"], [], "0 grids for 1 junctions of the head"),
        (["grids", "tail"], [], "Invalid enum value 'tail'"),
        (["input"], {"low": [0.0], "step": [0.1]}, "a grid of 8 bits and 1 features for inputs of uint8"),
        (["rule", "threshold"], -1.0, "exit threshold -1.0; use a confidence in"),
        (["rule", "criterion"], "mood", "unknown exit criterion 'mood'"),
        (["rule", "weights"], [1.0, 2.0], "an exit rule with 2 weights for 3 classes"),
        (["bits"], 4, "unknown field `bits`"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, list) and len(value) < 5 else "",
)
def test_a_hostile_record_is_one_line_that_names_the_file(
    quantised, workshop, tmp_path, path, value, message
):
    folder = tmp_path / "tiny"
    write(quantised, folder)
    workshop.forge(folder, hostile(path, value))
    with pytest.raises(BundleError, match=message) as refused:
        read(folder)
    assert str(refused.value).startswith(f"{folder / 'manifest.json'}: ")
    assert "\n" not in str(refused.value)
