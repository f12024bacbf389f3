import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from offramp.errors import PatternError
from offramp.pattern import (
    PATTERN_KINDS,
    Pattern,
    PatternSpec,
    affine,
    auto,
    block,
    clash_free,
    full,
    random,
)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (PatternSpec(), lambda: random(24, 12, 12)),
        (PatternSpec("random", seed=3), lambda: random(24, 12, 12, seed=3)),
        (PatternSpec("full"), lambda: full(24, 12)),
        (PatternSpec("full", block=(2, 3)), lambda: full(24, 12, block=(2, 3))),
        (PatternSpec("affine", seed=3), lambda: affine(24, 12, 12, seed=3)),
        (PatternSpec("affine", block=(2, 3)), lambda: affine(24, 12, 12, block=(2, 3))),
        (PatternSpec("block", block=(2, 3), seed=3), lambda: block(24, 12, 12, block=(2, 3), seed=3)),
        (PatternSpec("auto", seed=3), lambda: auto(24, 12, 12, seed=3)),
        (PatternSpec("clash_free"), lambda: clash_free(24, 12, 12)),
        (
            PatternSpec("clash_free", type=2, z=6, dither=True, seed=3),
            lambda: clash_free(24, 12, 12, type=2, z=6, dither=True, seed=3),
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, PatternSpec) else "",
)
def test_a_spec_builds_what_its_generator_gives(spec: PatternSpec, expected: Callable[[], Pattern]) -> None:
    assert spec.build(24, 12, 12) == expected()


def test_every_kind_can_be_built() -> None:
    for kind in PATTERN_KINDS:
        spec = PatternSpec(kind, block=(2, 2) if kind == "block" else None)
        assert spec.build(8, 4, 4).out_degree == 4


def test_a_spec_survives_json() -> None:
    spec = PatternSpec("block", block=(2, 3), seed=5)
    assert PatternSpec(**json.loads(json.dumps(dataclasses.asdict(spec)))) == spec


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"kind": "rnd"},
            "pattern='rnd' is unknown; use full, random, block, affine, clash_free, auto",
            id="unknown kind",
        ),
        pytest.param(
            {"kind": "random", "block": (2, 2)},
            'pattern="random" has no blocks, but block=(2, 2); use pattern="block" for random blocks',
            id="block for random",
        ),
        pytest.param(
            {"kind": "clash_free", "block": (2, 2)},
            'pattern="clash_free" has no blocks',
            id="block for clash_free",
        ),
        pytest.param(
            {"kind": "auto", "block": (2, 2)},
            'pattern="auto" chooses the block itself, but block=(2, 2);'
            ' leave block out, or use pattern="block"',
            id="block for auto",
        ),
        pytest.param(
            {"kind": "block", "block": 4}, "block=4 is not usable; give (r, c)", id="block is one number"
        ),
        pytest.param(
            {"kind": "affine", "z": 4}, 'pattern="affine" has no z, but z=4; use pattern="clash_free"', id="z"
        ),
        pytest.param({"type": 2}, 'pattern="random" has no type, but type=2', id="type"),
        pytest.param({"dither": True}, 'pattern="random" has no dither, but dither=True', id="dither"),
        pytest.param({"seed": -1}, "seed=-1 is not usable; give a whole number, 0 or more", id="seed"),
    ],
)
def test_a_spec_refuses_options_that_are_not_its_kind_s(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PatternError) as caught:
        PatternSpec(**options)
    assert message in str(caught.value)


def test_block_without_a_block_is_told_which_the_degrees_allow() -> None:
    with pytest.raises(PatternError) as caught:
        PatternSpec("block").build(800, 40, 4)
    assert str(caught.value) == (
        'pattern="block" needs block=(r, c); out_degree=4 on 800 to 40 neurons allows'
        " r = 1, 2, 4, 5, 8, 10, 16, 20, 40 or 80 and c = 1, 2 or 4"
    )


def test_full_with_another_degree_is_refused() -> None:
    with pytest.raises(PatternError, match=r'"full" has every edge, but out_degree=4; use out_degree=40 or'):
        PatternSpec("full").build(800, 40, 4)


def test_an_infeasible_junction_is_refused_by_every_kind() -> None:
    for kind in PATTERN_KINDS:
        with pytest.raises(PatternError, match="out_degree=3 gives 2352 edges"):
            PatternSpec(kind).build(784, 100, 3)
