import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.report import (
    Estimate,
    NetworkRecord,
    Result,
    accuracy_against_bytes,
    confidence,
    threshold_sweep,
)
from offramp.report.svg import INK


def figures(result: Result) -> list[str]:
    return [accuracy_against_bytes(result), *map(confidence, result.networks[:2])]


def test_figures_are_svg_elements_in_the_ink_of_the_page(result: Result) -> None:
    for svg in figures(result):
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert "currentColor" in svg
        assert INK not in svg
        assert "DejaVu" not in svg


def test_ids_are_unique_over_all_figures_and_every_reference_has_its_id(result: Result) -> None:
    text = "".join(figures(result))
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= set(ids)


def test_the_same_result_gives_the_same_figure(result: Result) -> None:
    assert figures(result) == figures(result)


def test_every_network_and_mode_is_in_the_legend(result: Result) -> None:
    texts = {element.text for element in ElementTree.fromstring(accuracy_against_bytes(result)).iter()}
    assert texts >= {"dense", "small-dense", "local", "remote", "split", "split+exit"}


@pytest.mark.parametrize("right", [0.0, 1.0], ids=["always wrong", "always right"])
def test_an_exit_that_is_always_right_or_wrong_can_be_drawn(result: Result, right: float) -> None:
    n = len(result.networks[0].confidence)
    network = record([0.5] * n, [bool(right)] * n, [True] * n)
    assert "</svg>" in confidence(network)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), min_size=1, max_size=50))
def test_the_ends_of_a_sweep_are_the_exit_alone_and_the_tail_alone(
    samples: list[tuple[float, bool, bool]],
) -> None:
    confidences, exit_correct, tail_correct = (list(column) for column in zip(*samples, strict=True))
    exit_rate, accuracy = threshold_sweep(record(confidences, exit_correct, tail_correct), [0.0, 1.1])
    assert exit_rate == [1.0, 0.0]
    assert accuracy == pytest.approx([np.mean(exit_correct), np.mean(tail_correct)])


def record(confidences: list[float], exit_correct: list[bool], tail_correct: list[bool]) -> NetworkRecord:
    nothing = Estimate(mean=0.0, margin=None, values=[0.0])
    return NetworkRecord(
        name="any",
        neurons=[],
        structure={},
        head_density=1.0,
        tail_parameters=1,
        training_s=nothing,
        peak_training_bytes=None,
        exit_accuracy=nothing,
        tail_accuracy=nothing,
        system_accuracy=nothing,
        exit_rate=nothing,
        wire_bytes=nothing,
        threshold=1.5,
        confidence=confidences,
        exit_correct=exit_correct,
        tail_correct=tail_correct,
    )
