"""The rule that chooses a codec."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import Bundle
from offramp.codec import CODECS
from offramp.data import Dataset
from offramp.experiments.payload import Pledge, Source, Trial
from offramp.experiments.payload.codecs import MAX_LOSS_POINTS, Workbench, choose
from offramp.plan.judgement import judged

A, B, C = (Source(name, "all") for name in ("float32", "int8", "int4"))


def test_the_fewest_bytes_win_among_codecs_that_lose_little_in_the_mean() -> None:
    seeds = [
        [Trial(A, 0.0, 160.0), Trial(B, 0.3, 40.0), Trial(C, 0.3, 20.0)],
        [Trial(A, 0.0, 160.0), Trial(B, 0.1, 44.0), Trial(C, 0.2, 20.0)],
    ]
    choice = choose(seeds)
    assert choice.chosen == B  # 0.2 points in the mean; the other one 0.25
    assert choice.trial(B) == Trial(B, pytest.approx(0.2), 42.0)


def test_of_a_codec_the_source_with_fewer_bytes_is_kept() -> None:
    wide, narrow = Source("int4-range", "all"), Source("int4-range", "unsure")
    assert choose([[Trial(wide, 0.1, 12.0), Trial(narrow, 0.1, 11.0)]]).kept == {"int4-range": narrow}
    assert choose([[Trial(wide, 0.1, 12.0), Trial(narrow, 0.5, 11.0)]]).kept == {"int4-range": wide}


def test_a_source_that_some_seed_lacks_is_out() -> None:
    lone = Source("int4-range", "unsure")
    assert choose([[Trial(A, 0.0, 160.0), Trial(lone, 0.0, 9.0)], [Trial(A, 0.0, 160.0)]]).chosen == A


points = st.floats(-1, 1, allow_nan=False)
sizes = st.floats(0.5, 100)


@given(st.lists(st.lists(st.tuples(points, sizes), min_size=2, max_size=2), min_size=1, max_size=5))
def test_no_codec_that_is_allowed_is_smaller_than_the_chosen_one(
    seeds: list[list[tuple[float, float]]],
) -> None:
    choice = choose([[Trial(A, 0.0, 160.0), Trial(B, *first), Trial(C, *second)] for first, second in seeds])
    allowed = [trial for trial in choice.tried if trial.loss_points <= MAX_LOSS_POINTS]
    ours = choice.trial(choice.chosen)
    assert ours.loss_points <= MAX_LOSS_POINTS + 1e-6
    assert all(ours.mean_bytes <= trial.mean_bytes for trial in allowed)


@pytest.fixture(scope="module")
def workbench(trained: Bundle, digits: Dataset) -> Workbench:
    return Workbench(trained, digits, Pledge(risk=0.05), least=20)


def test_codecs_are_fitted_to_those_whom_the_exit_leaves_over(workbench: Workbench, digits: Dataset) -> None:
    raw, labels = digits.split("train")
    outcomes = judged(workbench.reference, raw, labels)
    unsure = outcomes.answered_by(workbench.reference.exit_rule.threshold) < 0
    assert 20 <= unsure.sum() < len(raw)
    assert np.array_equal(workbench.samples["unsure"], raw[unsure])
    everybody, few = (workbench.codec(Source("int4-range", name)) for name in ("all", "unsure"))
    assert everybody.digest != few.digest


def test_too_few_samples_are_none_to_fit_to(trained: Bundle, digits: Dataset) -> None:
    assert list(Workbench(trained, digits, Pledge(risk=0.2), least=2000).samples) == ["all"]


def test_every_codec_is_tried_on_validation_samples(workbench: Workbench, digits: Dataset) -> None:
    trials = workbench.trials()
    assert [one.source.codec for one in trials if one.source.fitted_to == "all"] == list(CODECS)
    assert [one.source.codec for one in trials if one.source.fitted_to == "unsure"] == [
        "int8-range",
        "int4-range",
    ]
    by_source = {one.source: one for one in trials}
    assert by_source[Source("float32", "all")] == Trial(Source("float32", "all"), 0.0, 48.0)
    assert by_source[Source("int8", "all")].mean_bytes == 12
    raw, labels = digits.split("validation")
    told = workbench.rows(workbench.reference, [Source("int4", "all")], raw, labels)
    assert by_source[Source("int4", "all")].loss_points == -100 * told[0].against_float32.value
