import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from offramp.errors import OfframpError
from offramp.runtime.batching import Batcher


def batcher(compute, *, n_outputs=1, max_batch=8, max_wait_s=0.0, **settings):
    return Batcher(compute, n_outputs=n_outputs, max_batch=max_batch, max_wait_s=max_wait_s, **settings)


def rows(*values):
    return np.array(values, np.float32)[:, None]


class Gate:
    """A model that computes 10 x, notes its batches, and waits at a gate."""

    def __init__(self):
        self.open = threading.Event()
        self.busy = threading.Semaphore(0)
        self.batches = []

    def __call__(self, x):
        self.batches.append(x[:, 0].tolist())
        self.busy.release()
        assert self.open.wait(10)
        return x * 10


def test_every_caller_gets_its_own_answer():
    made = batcher(lambda x: x * 10, max_wait_s=0.001)
    sizes = np.random.default_rng(0).integers(1, 12, 300)
    requests = [rows(*(1000 * i + np.arange(size))) for i, size in enumerate(sizes)]
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda x: made.submit(x).result(10), requests))
    made.close()
    for request, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer, request * 10)


def test_what_comes_during_a_batch_is_computed_together_in_slices_of_max_batch():
    gate = Gate()
    made = batcher(gate, max_batch=3)
    first = made.submit(rows(1))
    assert gate.busy.acquire(timeout=10)
    others = [made.submit(rows(2)), made.submit(rows(3, 4)), made.submit(rows(5, 6, 7, 8))]
    gate.open.set()
    answers = [future.result(10)[:, 0].tolist() for future in (first, *others)]
    made.close()
    assert answers == [[10], [20], [30, 40], [50, 60, 70, 80]]
    assert gate.batches == [[1], [2, 3, 4], [5, 6, 7], [8]]


def test_a_lone_caller_does_not_wait_for_others():
    made = batcher(lambda x: x, max_wait_s=1.0)
    started = time.monotonic()
    for i in range(3):
        made.submit(rows(i)).result(10)
    assert time.monotonic() - started < 0.9
    made.close()


def test_a_batch_waits_for_as_many_callers_as_came_last_time():
    gate = Gate()
    made = batcher(gate, max_wait_s=10.0)
    made.submit(rows(1))
    assert gate.busy.acquire(timeout=10)
    made.submit(rows(2))
    made.submit(rows(3))
    gate.open.set()
    assert gate.busy.acquire(timeout=10)  # the pair
    first = made.submit(rows(4))
    time.sleep(0.05)
    second = made.submit(rows(5))
    assert [first.result(10), second.result(10)] == [40, 50]
    made.close()
    assert gate.batches == [[1], [2, 3], [4, 5]]


def test_a_caller_who_gave_up_is_not_computed():
    gate = Gate()
    made = batcher(gate)
    first = made.submit(rows(1))
    assert gate.busy.acquire(timeout=10)
    gone, patient = made.submit(rows(2)), made.submit(rows(3))
    assert gone.cancel()
    gate.open.set()
    assert [first.result(10), patient.result(10)] == [10, 30]
    made.close()
    assert gate.batches == [[1], [3]]


def raises(x):
    if (x == 13).any():
        raise RuntimeError("secret path")
    return x


def answers_nan(x):
    return np.where(x == 13, np.nan, x)


def answers_too_little(x):
    return x[x != 13][:, None]


def answers_text(x):
    return np.where(x == 13, "no", "yes") if (x == 13).any() else x


def overflows(x):
    return np.where(x == 13, 1e300, x.astype(np.float64))


FAILED = "^the model failed on this input; the server's log says why$"


@pytest.mark.parametrize("model", [raises, answers_nan, answers_too_little, answers_text, overflows])
def test_one_bad_request_does_not_spoil_the_others(model, caplog):
    gate = Gate()
    made = batcher(lambda x: model(gate(x) / 10))
    futures = [made.submit(rows(1))]
    assert gate.busy.acquire(timeout=10)
    futures += [made.submit(rows(value)) for value in (2, 13, 4)]
    gate.open.set()
    for value, future in zip((1, 2, 13, 4), futures, strict=True):
        if value == 13:
            with pytest.raises(OfframpError, match=FAILED):
                future.result(10)
        else:
            assert future.result(10) == value
    assert gate.batches[1] == [2, 13, 4]
    (logged,) = caplog.messages
    assert logged.endswith("rows of shape (1, 1)")
    assert made.submit(rows(5)).result(10) == 5  # and lives on
    made.close()


def test_a_model_is_called_by_one_batcher_at_a_time_when_they_share_a_lock():
    inside, most = [0], [0]

    def model(x):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        inside[0] -= 1
        return x

    lock = threading.Lock()
    pair = [batcher(model, lock=lock), batcher(model, lock=lock)]
    futures = [made.submit(rows(i)) for i in range(5) for made in pair]
    for future in futures:
        future.result(10)
    for made in pair:
        made.close()
    assert most == [1]


def test_closing_finishes_what_was_submitted_and_leaves_a_model_that_hangs_behind():
    gate = Gate()
    made = batcher(gate)
    future = made.submit(rows(1))
    made.close(timeout_s=0.05)
    assert not future.done()
    gate.open.set()
    assert future.result(10) == 10


def test_several_batches_are_computed_at_once_where_the_model_allows_it():
    meeting = threading.Barrier(3)

    def model(x):
        meeting.wait(10)
        return x

    made = batcher(model, at_once=3)
    futures = [made.submit(rows(i)) for i in range(3)]
    assert [future.result(10) for future in futures] == [0, 1, 2]
    made.close()


def test_threads_share_the_callers_and_leave_none_idle():
    gate = Gate()
    made = batcher(gate, max_batch=100, at_once=2)
    first = [made.submit(rows(1)), made.submit(rows(2))]
    for _ in first:
        assert gate.busy.acquire(timeout=10)
    others = [made.submit(rows(i)) for i in range(100, 140)]
    gate.open.set()
    for future in (*first, *others):
        future.result(10)
    made.close()
    assert max(map(len, gate.batches)) <= 21  # of 40 that wait and one that is computed


def test_closing_ends_every_thread():
    before = threading.active_count()
    made = batcher(lambda x: x, at_once=4)
    assert threading.active_count() == before + 4
    futures = [made.submit(rows(i)) for i in range(9)]
    made.close(timeout_s=10)
    assert all(future.done() for future in futures)
    assert threading.active_count() == before
