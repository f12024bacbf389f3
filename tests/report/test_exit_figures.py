"""Pictures of exits."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.exits import Reliability, reliability
from offramp.report import reliability_figure, risk_figure, threshold_figure
from offramp.report.exit_figures import stretched
from offramp.report.svg import INK


def texts(svg: str) -> set[str | None]:
    return {element.text for element in ElementTree.fromstring(svg).iter()}


def diagram(seed: int = 0) -> Reliability:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 1, 300)
    return reliability(confidence, rng.random(300) < confidence**2)


def thresholds(**changes: object) -> str:
    grid = np.linspace(1, 0, 21)
    values = {"chosen": 0.9, "tail_accuracy": 0.97}
    return threshold_figure(grid, 0.9 + 0.07 * grid, {"on the device": 1 - grid}, **(values | changes))


def risks(**changes: object) -> str:
    rate = np.linspace(0, 1, 21)
    words = {"what": "accuracy lost, points", "confidence": 0.95}
    values = {"limit": 0.01, "chosen": (0.5, 0.004), **words}
    return risk_figure(rate, 0.02 * rate**2, 0.001 + 0.03 * rate**2, **(values | changes))


def test_pictures_are_svg_elements_in_the_ink_of_the_page_and_the_same_every_time() -> None:
    for draw in (lambda: reliability_figure("exit", {"before": diagram()}), thresholds, risks):
        svg = draw()
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert "currentColor" in svg
        assert INK not in svg
        assert draw() == svg


def test_ids_of_several_exits_on_one_page_are_unique() -> None:
    text = "".join(reliability_figure(name, {"now": diagram()}) for name in ("exit", "exit-head-1"))
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_a_reliability_diagram_tells_its_error() -> None:
    before, after = diagram(0), diagram(1)
    assert {
        f"before: ECE {100 * before.ece:.2f} points",
        f"after: ECE {100 * after.ece:.2f} points",
    } <= texts(reliability_figure("exit", {"before": before, "after": after}))


@pytest.mark.parametrize("confidence", [0.0, 0.5, 1.0])
def test_an_exit_that_always_claims_the_same_can_be_drawn(confidence: float) -> None:
    one = reliability([confidence] * 3, [True, False, True])
    assert "</svg>" in reliability_figure("exit", {"now": one})


def test_a_threshold_that_nothing_reaches_has_no_line() -> None:
    dashed = "stroke-dasharray"
    assert thresholds(chosen=2.0).count(dashed) == 0
    assert thresholds(chosen=1.0).count(dashed) == thresholds(chosen=0.0).count(dashed) == 2


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_axis_of_thresholds_keeps_their_order(values: list[float]) -> None:
    places = stretched(np.sort(values))
    assert (np.diff(places) >= 0).all()
    assert np.isfinite(places).all()


def test_every_step_towards_one_takes_the_same_room() -> None:
    np.testing.assert_allclose(stretched(np.array([0, 0.9, 0.99, 0.999, 1])), [0, 1, 2, 3, 6], atol=1e-9)


def test_a_risk_figure_names_what_was_allowed_and_what_was_certified() -> None:
    assert {"allowed: 1%", "certified", "at most, with 95%", "accuracy lost, points"} <= texts(risks())
    assert "certified" not in texts(risks(chosen=None))


def test_a_gain_can_be_drawn() -> None:
    rate = np.linspace(0, 1, 3)
    svg = risk_figure(
        *(rate, -0.01 * rate, 0.01 * rate), limit=0.01, chosen=None, what="lost", confidence=0.9
    )
    assert "</svg>" in svg
