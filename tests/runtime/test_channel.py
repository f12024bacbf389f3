import asyncio
import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.runtime.channel import Held, Lane, LinkSettings

CHUNKS = st.lists(st.binary(max_size=4000), max_size=30)
SLOW = LinkSettings(bits_per_s=8000, delay_s=0.5)  # a byte each millisecond


@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=20), lateness=st.floats(0, 1))
def test_arrivals_keep_exactly_to_the_rate_however_late_the_relay_wakes_up(sizes, lateness):
    lane = Lane(SLOW, Random(0))
    sent, arrival = 0, 0.0
    for size in sizes:
        now = 100 + sent / 1000 * lateness  # somewhat late, but never later than the line was free
        arrival = lane.enter(bytes(size), now)[0]
        sent += size
        assert arrival == pytest.approx(100 + sent / 1000 + 0.5)
    assert lane.n_bytes == sent
    later = arrival + 60  # by then the line is idle, so free at once
    assert lane.enter(b"x", later)[0] == pytest.approx(later + 0.501)


@given(CHUNKS, st.integers(0, 99), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_nothing_arrives_too_early_and_no_byte_changes_without_damage(chunks, seed, delay_s, jitter_s, loss):
    settings = LinkSettings(bits_per_s=1e6, delay_s=delay_s, jitter_s=jitter_s, loss=loss)
    lane = Lane(settings, Random(seed), damages=True)
    arrived = [lane.enter(chunk, 100.0) for chunk in chunks]
    assert [chunk for _, chunk in arrived] == chunks
    free_at, n_late = 100.0, 0
    for (due, _), chunk in zip(arrived, chunks, strict=True):
        free_at += len(chunk) * 8 / 1e6
        late_s = due - free_at - delay_s
        assert -1e-9 <= late_s <= jitter_s + settings.rto_s + 1e-9
        n_late += late_s > jitter_s + 1e-9
    assert n_late <= lane.n_late <= len(chunks)
    assert lane.n_damaged == 0


@given(CHUNKS, st.integers(0, 99), st.sampled_from([0.3, 1.0]))
def test_damage_alters_one_byte_in_each_chunk_that_it_counts(chunks, seed, damage):
    lane = Lane(LinkSettings(damage=damage), Random(seed), damages=True)
    altered = [lane.enter(chunk, 0.0)[1] for chunk in chunks]
    differences = [
        sum(a != b for a, b in zip(before, after, strict=True))
        for before, after in zip(chunks, altered, strict=True)
    ]
    assert set(differences) <= {0, 1}
    assert sum(differences) == lane.n_damaged
    if damage == 1:
        assert lane.n_damaged == sum(map(bool, chunks))


def test_only_the_direction_of_the_replies_is_damaged():
    lane = Lane(LinkSettings(damage=1), Random(0))
    assert lane.enter(b"question", 0.0) == (0.0, b"question")
    assert lane.n_damaged == 0


@pytest.mark.parametrize(("delay_s", "late_s"), [(0.01, 0.2), (0.2, 0.8)], ids=["200 ms", "two round trips"])
def test_a_lost_segment_is_late_by_one_retransmission(delay_s, late_s):
    lane = Lane(LinkSettings(delay_s=delay_s, loss=1), Random(0))
    assert lane.enter(b"x", 5.0)[0] == pytest.approx(5.0 + delay_s + late_s)
    assert lane.enter(b"", 5.0)[0] == pytest.approx(5.0 + delay_s)  # the end has no segment to lose
    assert lane.n_late == 1


def test_loss_is_that_of_segments_however_the_stream_is_read():
    settings = LinkSettings(loss=0.1)
    assert settings.share_late(1460) == pytest.approx(0.1)
    assert settings.share_late(14_600) == pytest.approx(1 - 0.9**10)
    lane, n_chunks = Lane(settings, Random(1)), 4000
    for _ in range(n_chunks):
        lane.enter(bytes(1000), 0.0)
    assert lane.n_late / n_chunks == pytest.approx(0.1, abs=0.02)


def test_the_same_seed_decides_the_same():
    settings = LinkSettings(jitter_s=1, loss=0.3, damage=0.3)
    lanes = [Lane(settings, Random(seed), damages=True) for seed in (7, 7, 8)]
    first, same, other = ([lane.enter(bytes(100), 0.0) for _ in range(20)] for lane in lanes)
    assert first == same != other


@pytest.mark.parametrize(("bits_per_s", "arrival"), [(16_000, 5.5), (4000, 7), (math.inf, 5)], ids=str)
def test_what_is_still_to_be_sent_goes_on_at_the_new_rate(bits_per_s, arrival):
    lane = Lane(replace(SLOW, delay_s=0), Random(0))
    assert lane.enter(bytes(2000), 4.0)[0] == pytest.approx(6.0)
    lane.change(LinkSettings(bits_per_s=bits_per_s), 5.0)  # a second's worth is left
    assert lane.enter(b"", 5.0)[0] == pytest.approx(arrival)
    lane.clear()
    assert lane.enter(b"", 5.0)[0] == 5.0


def test_a_lane_without_a_limit_can_be_given_one():
    lane = Lane(LinkSettings(), Random(0))
    assert lane.enter(bytes(1000), 1.0)[0] == 1.0
    lane.change(SLOW, 2.0)
    assert lane.enter(bytes(1000), 2.0)[0] == pytest.approx(3.5)


@given(st.lists(st.binary(max_size=300), max_size=30), st.integers(1, 2000))
def test_held_chunks_come_out_in_order_and_never_more_than_the_limit_is_inside(chunks, limit_bytes):
    async def main():
        held, inside, most, seen = Held(limit_bytes), 0, 0, []

        async def fill():
            nonlocal inside, most
            for chunk in chunks:
                await held.room()
                held.put(0.0, chunk)
                inside += len(chunk)
                most = max(most, inside)

        async def drain():
            nonlocal inside
            for _ in chunks:
                seen.append((await held.first())[1])
                inside -= len(seen[-1])
                held.drop_first()

        await asyncio.wait_for(asyncio.gather(fill(), drain()), 10)
        return seen, most

    seen, most = asyncio.run(main())
    assert seen == chunks
    assert most <= limit_bytes + max(map(len, chunks), default=0)


def test_even_tiny_chunks_take_room():
    async def main():
        held = Held(1000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fill(held), 0.1)

    async def fill(held):
        for _ in range(1000):
            await held.room()
            held.put(0.0, b"x")

    asyncio.run(main())
