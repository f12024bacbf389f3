import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError, JournalFullError, TailRefusedError, TailUnreachableError, WireError
from offramp.runtime import Answer
from offramp.runtime.fleet import EdgeTally
from offramp.wire import LATENCY_BOUNDS_S, EdgeReport

FAULTS = [
    TailUnreachableError("away"),
    TailRefusedError("no"),
    WireError("odd"),
    JournalFullError("full"),
]


def answer(source="exit", exit="exit", *, latency_s=5e-5, payload_bytes=0, fault=None, offloaded=None):
    return Answer(
        label=1,
        name="bee",
        scores=np.zeros(3, np.float32),
        confidence=0.9,
        source=source,
        exit=exit,
        offloaded=source in ("tail", "provisional") if offloaded is None else offloaded,
        latency_s=latency_s,
        payload_bytes=payload_bytes,
        fault=fault,
        n_macs=10,
    )


answers = st.one_of(
    st.builds(answer, st.just("exit"), st.sampled_from(["exit", "exit-head-2"]), latency_s=st.floats(0, 100)),
    st.builds(answer, st.just("local"), st.none()),
    st.builds(answer, st.sampled_from(["tail"]), st.none(), payload_bytes=st.integers(0, 99)),
    st.builds(answer, st.just("provisional"), payload_bytes=st.integers(0, 99)),
    st.builds(
        answer,
        st.just("fallback"),
        payload_bytes=st.integers(0, 99),
        fault=st.sampled_from(FAULTS),
        offloaded=st.booleans(),
    ),
)


@given(st.lists(st.lists(answers, max_size=5), max_size=10), st.integers(0, 3))
def test_a_report_says_what_the_answers_were(bundle, batches, n_failed):
    tally = EdgeTally("line-4", bundle, "split+exit")
    for batch in batches:
        tally.answered(batch)
    if n_failed:
        tally.failed([7] * n_failed, TailRefusedError("no"))
    report = tally.report()
    given = [one for batch in batches for one in batch]
    n = len(given) + n_failed
    assert (report.edge, report.model, report.head_digest) == ("line-4", "tiny", bundle.features_digest)
    assert (report.n_samples, report.n_failed, sum(report.latency)) == (n, n_failed, len(given))
    for exit in ("exit", "exit-head-2"):
        assert report.exits.get(exit, 0) == sum((one.source, one.exit) == ("exit", exit) for one in given)
    assert report.n_tail == sum(one.source == "tail" for one in given)
    assert report.n_fallbacks == sum(one.source == "fallback" for one in given)
    assert report.n_offloaded == sum(one.offloaded for one in given) + n_failed
    assert report.payload_bytes == sum(one.payload_bytes for one in given) + 7 * n_failed
    assert report.raw_bytes == 12 * n
    faults = [str(one.fault) for one in given if one.fault is not None] + ["no"] * bool(n_failed)
    assert report.last_error == (faults[-1] if faults else "")
    assert EdgeReport.from_bytes(report.to_bytes()) == report


@given(st.floats(0, 100))
def test_a_latency_is_counted_at_the_first_bound_that_is_not_below_it(bundle, latency_s):
    tally = EdgeTally("x", bundle, "local")
    tally.answered([answer(latency_s=latency_s)])
    bucket = tally.report().latency.index(1)
    assert bucket == 0 or LATENCY_BOUNDS_S[bucket - 1] < latency_s
    assert bucket == len(LATENCY_BOUNDS_S) or latency_s <= LATENCY_BOUNDS_S[bucket]


def test_what_others_count_is_in_the_report_too(bundle):
    tally = EdgeTally("x", bundle, "split+exit")
    tally.answered([answer("fallback", fault=TailUnreachableError("away"))])
    assert tally.report().last_error == "away"
    others = {"n_refused": 1, "n_drift_alarms": 2, "n_refined": 4, "n_retracted": 3, "n_given_up": 5}
    others |= {"n_waiting": 6, "last_error": "the disk is full", "stopped": True}
    report = tally.report(**others)
    assert {name: getattr(report, name) for name in others} == others


def test_uptime_is_since_it_was_made(bundle, clock):
    tally = EdgeTally("x", bundle, "split", clock=clock)
    clock.now += 12
    assert tally.report().uptime_s == 12


@pytest.mark.parametrize("words", ["x" * 500, "\ud800 half", "<b>\x00\u202e"], ids=["long", "half", "odd"])
def test_whatever_an_error_says_it_can_be_reported(bundle, words):
    tally = EdgeTally("x", bundle, "split+exit")
    tally.failed([1], TailRefusedError(words))
    report = EdgeReport.from_bytes(tally.report().to_bytes())
    assert report.last_error == words.replace("\ud800", "?")[:200]


def test_of_very_many_exits_the_busiest_are_reported(bundle):
    tally = EdgeTally("x", bundle, "split+exit")
    for place in range(1, 71):
        tally.answered([answer(exit=f"exit-head-{place}")] * place)
    assert sorted(tally.report().exits.values()) == list(range(7, 71))


def test_several_threads_lose_nothing(bundle):
    tally = EdgeTally("x", bundle, "split+exit")
    batch = [answer(), answer("tail", None, payload_bytes=3)]
    seen = []

    def work():
        for _ in range(300):
            tally.answered(batch)
            seen.append(tally.report())  # which raises where counts contradict one another

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1200
    report = tally.report()
    assert (report.n_samples, report.n_tail, report.payload_bytes) == (2400, 1200, 3600)


@pytest.mark.parametrize("name", ["", "line 4", "-x", "x" * 101, "a/b", "line-4\n", "ä"])
def test_a_name_that_is_none_is_one_clear_error(bundle, name):
    with pytest.raises(ConfigError) as caught:
        EdgeTally(name, bundle, "split")
    assert str(caught.value) == (
        f"edge name {name!r}; give a letter or digit, then up to 99 of letters, digits, '._-'"
    )
