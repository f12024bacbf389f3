"""A junction's speed is measured in turn with a dense peer, within its budget, on one thread."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from offramp.bundle import LinearLayer, Part, ReluLayer
from offramp.errors import ConfigError
from offramp.pattern import auto, block, random
from offramp.plan import JunctionSpeed, measure_junction, measure_part
from offramp.plan.speed import timed_in_turn

QUICK_S = 0.0


class FakeClock:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        return self.now_s

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.log.append(name)
            self.now_s += seconds

        return run


def dense_part() -> Part:
    rng = np.random.default_rng(0)
    arrays = {
        "0.weight": rng.random((5, 8), np.float32),
        "0.bias": rng.random(5, np.float32),
        "2.weight": rng.random((3, 5), np.float32),
    }
    return Part((LinearLayer(8, 5, True), ReluLayer(), LinearLayer(5, 3, False)), arrays)


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize(
    "pattern",
    [random(64, 16, 4), block(64, 16, 8, block=(4, 2)), auto(24, 10, 10)],
    ids=["random", "block", "full"],
)
def test_a_junction_has_figures_that_fit_one_another(pattern: object, batch: int) -> None:
    speed = measure_junction(pattern, batch=batch, budget_s=QUICK_S)
    assert speed.batch == batch
    assert speed.n_rounds == 5
    assert speed.ours_s > 0
    assert speed.dense_s is not None
    assert speed.dense_s > 0
    assert speed.over_dense is not None
    assert speed.over_dense > 0
    assert speed.dense_threads in (None, 1)


def test_every_junction_of_a_part_is_measured_and_nothing_else() -> None:
    speeds = measure_part(dense_part(), batch=2, budget_s=QUICK_S)
    assert list(speeds) == [0, 2]
    assert all(speed.ours_s > 0 for speed in speeds.values())


def test_blas_has_one_thread_while_it_is_measured_and_then_what_it_had() -> None:
    blas = ThreadpoolController().select(user_api="blas")
    with blas.limit(limits=2):
        before = [library["num_threads"] for library in blas.info()]
        speeds = measure_part(dense_part(), budget_s=QUICK_S)
        assert [library["num_threads"] for library in blas.info()] == before
    assert {speed.dense_threads for speed in speeds.values()} == {1 if before else None}


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^batch=0 is not usable; give a number of samples, 1 or more$"):
        measure_junction(random(8, 8, 2), batch=0)


def test_a_dense_peer_too_large_for_a_device_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offramp.plan.speed.MAX_DENSE_BYTES", 4 * 64 * 16 - 1)
    speed = measure_junction(random(64, 16, 4), budget_s=QUICK_S)
    assert (speed.dense_s, speed.over_dense, speed.dense_is_faster) == (None, None, False)
    assert speed.ours_s > 0
    monkeypatch.setattr("offramp.plan.speed.MAX_DENSE_BYTES", 4 * 64 * 16)
    assert measure_junction(random(64, 16, 4), budget_s=QUICK_S).dense_s is not None


@pytest.mark.parametrize(
    ("over_dense", "faster"), [(0.9, True), (0.96, False), (1.0, False), (2.0, False)], ids=str
)
def test_dense_is_called_faster_only_beyond_the_noise(over_dense: float, faster: bool) -> None:
    speed = JunctionSpeed(
        1, ours_s=1.0, dense_s=over_dense, over_dense=over_dense, n_rounds=5, dense_threads=1
    )
    assert speed.dense_is_faster is faster
    assert not replace(speed, over_dense=None).dense_is_faster


def test_works_run_in_turn_after_a_warm_run_of_each() -> None:
    clock = FakeClock()
    rounds = timed_in_turn([clock.work("a", 1.0), clock.work("b", 3.0)], budget_s=0.0, clock=clock)
    assert rounds == [(1.0, 3.0)] * 5
    assert clock.log == ["a", "a", "b", "b", *("ab" * 5)]


def test_short_work_is_repeated_until_the_clock_can_see_it() -> None:
    clock = FakeClock()
    (first, *_) = timed_in_turn([clock.work("a", 1e-5)], budget_s=0.0, clock=clock)
    assert first == pytest.approx((1e-5,))
    assert clock.log == ["a"] * (2 + 5 * 20)  # 20 of 10 us make 0.2 ms


@pytest.mark.parametrize(
    ("seconds", "n_rounds"), [(1e-3, 51), (4e-3, 23), (1.0, 5)], ids=["short", "middling", "long"]
)
def test_the_budget_decides_how_many_rounds(seconds: float, n_rounds: int) -> None:
    clock = FakeClock()
    assert len(timed_in_turn([clock.work("a", seconds)], budget_s=0.1, clock=clock)) == n_rounds
