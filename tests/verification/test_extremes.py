"""Samples at the edges."""

import numpy as np
import pytest

from offramp.experiments.verified import CASES, program_of
from offramp.verification import extremes

PROGRAMS = {case.name: program_of(case) for case in CASES if case.name in ("dense", "u8-8x4", "affine")}


@pytest.mark.parametrize("name", PROGRAMS)
def test_they_are_samples_of_the_network(name):
    rule = PROGRAMS[name].bundle.preprocessing
    samples = extremes(PROGRAMS[name])
    assert samples.dtype == rule.dtype
    assert samples.shape[1:] == rule.shape
    assert np.isfinite(rule(samples)).all()


def test_bytes_are_all_low_all_high_and_every_single_pixel_at_an_end():
    samples = extremes(PROGRAMS["dense"]).reshape(-1, 64)
    assert {0, 255} <= {int(row[0]) for row in samples if (row == row[0]).all()}
    singles = {int(row.argmax()) for row in samples if (row > 0).sum() == 1}
    assert {0, 63} <= singles


@pytest.mark.parametrize("name", ["dense", "u8-8x4"])
def test_sums_of_each_output_reach_the_ends_that_weights_allow(name):
    program = PROGRAMS[name]
    junction = program.device.head[0]
    sums = junction.sums(program.device.inputs(extremes(program)))
    inside = junction.inputs < program.bundle.preprocessing.n_values  # others only pad
    rows = np.where(np.repeat(inside, junction.block[1], axis=0), junction.rows.astype(int), 0)
    assert np.array_equal(sums.max(axis=0), junction.bias + 255 * np.maximum(rows, 0).sum(axis=1))
    assert np.array_equal(sums.min(axis=0), junction.bias + 255 * np.minimum(rows, 0).sum(axis=1))
