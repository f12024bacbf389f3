import dataclasses
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offramp.errors import WireError
from offramp.wire import LATENCY_BOUNDS_S, MAX_ERROR_CHARACTERS, MAX_EXITS, MAX_REPORT_BYTES, EdgeReport

LARGEST = 2**48
N_BUCKETS = len(LATENCY_BOUNDS_S) + 1
GOOD = EdgeReport(
    edge="line-4",
    version="0.1.0",
    model="digits",
    mode="split+exit",
    head_digest="0123456789abcdef" * 4,
    uptime_s=12.5,
    n_samples=100,
    exits={"exit": 90, "exit-head-2": 5},
    n_offloaded=5,
    n_tail=3,
    n_fallbacks=2,
    payload_bytes=100,
    raw_bytes=6400,
    latency=(0, 95, *[0] * (N_BUCKETS - 3), 5),
)

GREAT = [
    *("n_fallbacks", "payload_bytes", "raw_bytes", "n_refused", "n_refined", "n_retracted", "n_given_up"),
    *("n_waiting", "n_drift_alarms"),
]

counts = st.integers(0, LARGEST)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True)
exit_names = st.from_regex(r"exit(-head-[1-9][0-9]{0,3})?", fullmatch=True)


@st.composite
def reports(draw):
    exits = draw(st.dictionaries(exit_names, st.integers(0, LARGEST // 128), max_size=MAX_EXITS))
    n_tail, n_failed = draw(st.integers(0, LARGEST // 8)), draw(st.integers(0, LARGEST // 8))
    n_offloaded = n_tail + n_failed + draw(st.integers(0, LARGEST // 8))
    n_retracted = draw(st.integers(0, LARGEST // 2))
    latency = draw(st.lists(st.integers(0, LARGEST // 128), min_size=N_BUCKETS, max_size=N_BUCKETS))
    return EdgeReport(
        edge=draw(names),
        version=draw(st.text(max_size=50)),
        model=draw(names),
        mode=draw(st.sampled_from(["local", "remote", "split", "split+exit"])),
        head_digest=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        uptime_s=draw(st.floats(0, 1e10)),
        n_samples=max(sum(exits.values()) + n_offloaded, sum(latency)),
        exits=exits,
        n_offloaded=n_offloaded,
        n_tail=n_tail,
        n_fallbacks=draw(counts),
        payload_bytes=draw(counts),
        raw_bytes=draw(counts),
        latency=tuple(latency),
        n_failed=n_failed,
        n_refused=draw(counts),
        n_refined=n_retracted + draw(st.integers(0, LARGEST // 2)),
        n_retracted=n_retracted,
        n_given_up=draw(counts),
        n_waiting=draw(counts),
        n_drift_alarms=draw(counts),
        last_error=draw(st.text(max_size=MAX_ERROR_CHARACTERS)),
        stopped=draw(st.booleans()),
    )


def altered(**fields):
    return json.dumps(json.loads(GOOD.to_bytes()) | fields).encode()


@given(reports())
def test_a_report_comes_through_as_it_is_and_fits(report):
    data = report.to_bytes()
    assert len(data) <= MAX_REPORT_BYTES
    assert EdgeReport.from_bytes(data) == report


def test_the_largest_report_fits():
    share = LARGEST // 64
    full = dataclasses.replace(
        GOOD,
        edge="x" * 100,
        model="y" * 100,
        version="\x00" * 50,
        uptime_s=math.pi * 1e-300,
        exits={f"exit-head-{9000 + i}": share // 2 for i in range(MAX_EXITS)},
        n_samples=LARGEST,
        n_offloaded=LARGEST // 2,
        latency=(LARGEST // N_BUCKETS,) * N_BUCKETS,
        last_error="\x00" * MAX_ERROR_CHARACTERS,
        **dict.fromkeys(GREAT, LARGEST),
    )
    assert len(full.to_bytes()) <= MAX_REPORT_BYTES
    assert EdgeReport.from_bytes(full.to_bytes()) == full


@given(st.binary(max_size=300))
@example(b"[" * MAX_REPORT_BYTES)
@example(b"\xff")
@example(b'{"edge":"\xff"}')
@example(b"null")
def test_bytes_that_are_no_report_are_one_error(data):
    with pytest.raises(WireError, match=r"^not an edge's report: "):
        EdgeReport.from_bytes(data)


@given(st.integers(0, len(GOOD.to_bytes()) - 1), st.binary(max_size=3))
def test_damage_gives_a_report_or_an_error_and_nothing_else(place, damage):
    data = bytearray(GOOD.to_bytes())
    data[place : place + len(damage)] = damage
    try:
        report = EdgeReport.from_bytes(bytes(data))
    except WireError:
        return
    assert EdgeReport.from_bytes(report.to_bytes()) == report


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"edge": ""}, "matching regex"),
        ({"edge": "line 4"}, "matching regex"),
        ({"edge": "line-4\n"}, "matching regex"),
        ({"edge": "<b>"}, "matching regex"),
        ({"edge": "x" * 101}, "matching regex"),
        ({"edge": None}, "got `null`"),
        ({"model": "../x"}, "matching regex"),
        ({"mode": "<script>"}, "matching regex"),
        ({"head_digest": "A" * 64}, "matching regex"),
        ({"exits": {"<img>": 1}}, "matching regex"),
        ({"exits": {f"exit-head-{i}": 0 for i in range(1, MAX_EXITS + 2)}}, "length <= 64"),
        ({"exits": {"exit": -1}}, ">= 0"),
        ({"exits": {"exit": 96}}, "101 exits and offloads of 100"),
        ({"n_samples": -1}, ">= 0"),
        ({"n_samples": 1.5}, "got `float`"),
        ({"n_samples": True}, "got `bool`"),
        ({"n_samples": LARGEST + 1}, "<= 281474976710656"),
        ({"n_samples": 99}, "of 99"),
        ({"n_tail": 6}, "6 answers and failures of the tail of 5"),
        ({"n_retracted": 1}, "1 retractions of 0"),
        ({"uptime_s": -1}, ">= 0"),
        ({"uptime_s": 1e11}, "<= 10000000000.0"),
        ({"latency": [0] * (N_BUCKETS - 1)}, "length"),
        ({"latency": [0] * (N_BUCKETS + 1)}, "length"),
        ({"latency": [101] + [0] * (N_BUCKETS - 1)}, "101 latencies of 100"),
        ({"last_error": "x" * (MAX_ERROR_CHARACTERS + 1)}, "length <= 200"),
        ({"stopped": 1}, "got `int`"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_values_that_no_edge_has_are_refused(fields, words):
    with pytest.raises(WireError, match=r"^not an edge's report: ") as caught:
        EdgeReport.from_bytes(altered(**fields))
    assert words in str(caught.value)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(EdgeReport)])
def test_a_field_is_needed_unless_it_has_a_default(field):
    content = json.loads(GOOD.to_bytes())
    del content[field]
    data = json.dumps(content).encode()
    needed = {f.name: f.default is dataclasses.MISSING for f in dataclasses.fields(EdgeReport)}[field]
    if needed:
        with pytest.raises(WireError, match=f"missing required field `{field}`"):
            EdgeReport.from_bytes(data)
    else:
        assert EdgeReport.from_bytes(data) == GOOD


def test_a_field_of_a_newer_edge_is_passed_over():
    assert EdgeReport.from_bytes(altered(colour="blue")) == GOOD


def test_more_bytes_than_a_report_may_have_are_not_read():
    with pytest.raises(WireError, match=r"^a report of 8193 bytes; at most 8192$"):
        EdgeReport.from_bytes(b" " * 8193)
    assert EdgeReport.from_bytes(GOOD.to_bytes().ljust(8192)) == GOOD


def test_the_bounds_are_eight_to_a_factor_of_ten():
    assert LATENCY_BOUNDS_S[0] == pytest.approx(1e-5)
    assert LATENCY_BOUNDS_S[8] == pytest.approx(1e-4)
    assert LATENCY_BOUNDS_S[-1] == pytest.approx(10)
    assert len(LATENCY_BOUNDS_S) == 49
