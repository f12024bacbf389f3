"""What thresholds give on test samples."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import Bundle
from offramp.codec import FloatCodec
from offramp.data import Dataset
from offramp.errors import DataError
from offramp.exits import NEVER
from offramp.exits.guarantee import Outcomes, threshold_grid
from offramp.experiments.payload import Pledge
from offramp.experiments.payload.codecs import Workbench, choose
from offramp.experiments.payload.judge import judge, standing
from offramp.plan.judgement import judged
from offramp.runtime.scores import edge_scores


def _outcomes(rng: np.random.Generator, n: int) -> Outcomes:
    """One exit in the head, one at the cut, one in the tail."""
    return Outcomes(
        rng.random((3, n)).round(1),
        rng.integers(0, 3, (3, n)),
        rng.integers(0, 3, n),
        rng.integers(0, 3, n),
        np.array([True, True, False]),
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([0.0, 0.3, 0.7, 0.95, 1.0, NEVER]))
def test_a_standing_is_what_the_samples_give_one_by_one(seed: int, n: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    outcomes, sizes = _outcomes(rng, n), rng.integers(1, 20, n)
    right, exits, sent = 0, 0, []
    for i in range(n):
        sure = [k for k in range(3) if outcomes.confidence[k, i] >= threshold]
        label = outcomes.exit_labels[sure[0], i] if sure else outcomes.tail_labels[i]
        assert outcomes.labels is not None
        right += int(label == outcomes.labels[i])
        exits += bool(sure)
        if not sure or sure[0] == 2:  # the exit in the tail is behind the wire
            sent.append(sizes[i])
    found = standing(outcomes, threshold, sizes)
    assert found.accuracy == pytest.approx(right / n)
    assert found.exit_rate == pytest.approx(exits / n)
    assert found.offload_rate == pytest.approx(len(sent) / n)
    assert found.bytes_per_sample == pytest.approx(sum(sent) / n)
    assert found.mean_bytes == (pytest.approx(np.mean(sent)) if sent else None)


@pytest.fixture(scope="module")
def workbench(trained: Bundle, digits: Dataset) -> Workbench:
    return Workbench(trained, digits, Pledge(risk=0.05), least=20)


def test_the_figures_are_those_of_the_deployed_network(workbench: Workbench, digits: Dataset) -> None:
    choice = choose([workbench.trials()])
    found, deployed = judge(workbench, choice, budget=1200, seed=0)
    raw, labels = digits.split("test")
    outcomes = judged(deployed, raw, labels)
    threshold = deployed.exit_rule.threshold
    assert deployed.codec.name == choice.chosen.codec == found.source.codec
    assert found.certified.threshold == threshold
    assert found.certified.accuracy == pytest.approx((outcomes.system_labels(threshold) == labels).mean())
    assert found.coded_tail_percent == pytest.approx(100 * (outcomes.tail_labels == labels).mean())
    assert found.exit_percent == pytest.approx(100 * (outcomes.exit_labels[0] == labels).mean())
    _, sent = edge_scores(deployed, raw)
    sizes = np.array([len(row) for row in deployed.codec.encode_rows(sent)])
    offloaded = outcomes.answered_by(threshold) < 0
    assert found.certified.bytes_per_sample == pytest.approx(sizes[offloaded].sum() / len(raw))
    ours = next(one for one in found.codecs if one.source == choice.chosen)
    assert ours.bytes_per_sample == pytest.approx(found.certified.bytes_per_sample)
    assert ours.system_percent == pytest.approx(100 * found.certified.accuracy)
    assert found.edge_parameters == sum(deployed.parts[name].n_parameters for name in ("head", "exit"))
    plain = workbench.calibrated_with(FloatCodec()).bundle
    assert found.tail_percent == pytest.approx(
        100 * (judged(plain, raw, labels).tail_labels == labels).mean()
    )


def test_the_curve_runs_from_few_offloads_to_all(workbench: Workbench) -> None:
    found, _ = judge(workbench, choose([workbench.trials()]), budget=1200, seed=0)
    shares = [one.offload_rate for one in found.curve]
    assert shares == sorted(shares)
    assert shares[0] < 0.01
    assert shares[-1] == 1
    assert found.curve[-1].accuracy == pytest.approx(found.coded_tail_percent / 100)
    assert found.drop_points(found.curve[-1]) == pytest.approx(found.tail_percent - found.coded_tail_percent)


def test_the_uncertified_threshold_is_the_smallest_within_the_risk(workbench: Workbench) -> None:
    choice = choose([workbench.trials()])
    found, _ = judge(workbench, choice, budget=1200, seed=0)
    calibration = workbench.calibrated_with(workbench.codec(choice.chosen))
    grid, certifying = threshold_grid(calibration.fitting), calibration.certifying
    assert certifying.labels is not None
    tail_right = np.mean(certifying.tail_labels == certifying.labels)
    drops = [tail_right - np.mean(certifying.system_labels(t) == certifying.labels) for t in grid]
    within = [t for t, drop in zip(grid, drops, strict=True) if drop <= 0.05 + 1e-9]
    assert found.empirical.threshold == min(within) < found.certified.threshold
    assert found.empirical.exit_rate > found.certified.exit_rate


def test_the_tail_is_told_with_float32_and_as_coded(workbench: Workbench) -> None:
    choice = choose([workbench.trials()])
    told = []
    for name in ("float32", "int8", "int4"):
        found, _ = judge(workbench, replace(choice, chosen=choice.kept[name]), budget=1200, seed=0)
        told.append((found.tail_percent, found.coded_tail_percent))
    assert len({tail for tail, _ in told}) == 1
    assert told[0][0] == told[0][1]
    assert len({coded for _, coded in told}) > 1  # a coarse codec changes some answers


def test_too_few_calibration_samples_are_told(trained: Bundle, digits: Dataset) -> None:
    strict = Workbench(trained, digits, Pledge(risk=1e-3), least=20)
    with pytest.raises(DataError, match="samples"):
        strict.trials()
