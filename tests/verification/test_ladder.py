"""Exported C beside its reference: what a rung compares, and that it finds what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offramp.codec import CODECS
from offramp.exits import CRITERIA, NEVER, ExitRule
from offramp.experiments.verified import CASES, chance_samples, program_of
from offramp.export.c import write_code
from offramp.verification import expected, extremes, ladder, verify

BY_NAME = {case.name: case for case in CASES}


def held(case, target, *, n=10, every=4, **how):
    """The rung of a case, on some of its samples."""
    written = program_of(case)
    samples = np.concatenate([chance_samples(case, n, np.random.default_rng(1)), extremes(written)[::every]])
    how = {"n_counted": 0, "optimise": "-O0"} | how
    return verify(written, expected(written, samples), samples, target, pushed=case.pushed, **how)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_the_same_bits_with_sanitizers_watching(case, host):
    assert held(case, host).mismatches == 0


def test_a_network_is_the_same_bits_on_every_processor(emulated):
    rung = held(BY_NAME["u8-4x2"], emulated, every=16, n_counted=2, optimise="-O2")
    assert (rung.name, rung.mismatches, rung.unit) == (emulated.name, 0, emulated.unit)
    assert rung.mean <= rung.most


@st.composite
def any_rule(draw, n_classes):
    criterion = draw(st.sampled_from(CRITERIA))
    weights = st.lists(st.floats(-1, 1), min_size=n_classes + 1, max_size=n_classes + 1)
    return ExitRule(
        draw(st.sampled_from([0.0, NEVER]) | st.floats(0.2, 0.99)),
        criterion,
        temperature=draw(st.floats(0.01, 20)),
        weights=tuple(draw(weights)) if criterion == "learned" else (),
    )


@st.composite
def any_case(draw):
    """A case of the table with another rule, codec, encoding and way."""
    case = draw(st.sampled_from(CASES))
    streaming = draw(st.booleans())
    return replace(
        case,
        name="any",
        rule=draw(any_rule(case.exit[-1].n_out)),
        codec=case.codec if case.steps else draw(st.sampled_from(CODECS)),
        kind=draw(st.sampled_from(["dense", "u8", "u16", "delta"])),
        numbers="int8" if case.steps else draw(st.sampled_from(["int8", "float32"])),
        together=draw(st.integers(1, 5)),
        streaming=streaming,
        pushed=streaming and draw(st.booleans()),
        tail=draw(st.booleans()),
        seed=draw(st.integers(0, 99)),
    )


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_case())
def test_networks_of_any_kind_are_the_same_bits(host, case):
    assert held(case, host).mismatches == 0


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("u8-4x2", "+ 0x80000000u) >> 32", ") >> 32"),
        ("u8-4x2", "(uint32_t)READ_U8(index) * 4", "(uint32_t)READ_U8(index) * 3"),
        ("bytes-range", "while (++out[--n] == 0)", "while (++out[--n] == 1)"),
        ("ties", "scores[i] > scores[best]", "scores[i] >= scores[best]"),
    ],
    ids=["a rounding", "an index", "a carry", "a tie"],
)
def test_one_wrong_operation_is_found(name, right, wrong, host, monkeypatch):
    def broken(program, folder):
        code = write_code(program, folder)
        text = code.read_text()
        assert right in text
        code.write_text(text.replace(right, wrong))
        return code

    monkeypatch.setattr(ladder, "write_code", broken)
    assert held(BY_NAME[name], host, n=2000, every=1).mismatches > 0


def test_what_was_not_written_is_a_mismatch():
    wanted = np.zeros(3, [("a", "<i4"), ("b", "u1", (2,))])
    assert ladder._differences(wanted.tobytes(), wanted) == 0
    assert ladder._differences(wanted[:2].tobytes() + b"\0", wanted) == 3
    wanted["b"][1, 0] = 7
    assert ladder._differences(np.zeros_like(wanted).tobytes(), wanted) == 1
