from binascii import crc32
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offramp.errors import WireError
from offramp.wire.serial import (
    NOBODY,
    Damaged,
    Hello,
    Offload,
    RawSample,
    Refusal,
    Refused,
    SerialReceiver,
    Strange,
    TailAnswer,
    Verdict,
    Welcome,
    frame_bytes,
    max_body_bytes,
)
from offramp.wire.serial.stuffing import longest_stuffed, stuffed, unstuffed

LONGEST = 700
numbers = st.integers(0, 65535)
marks = st.binary(min_size=8, max_size=8).map(bytes.hex)
names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,30}\Z")
contents = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([0, 0, 1, 254, 255]), max_size=40).map(bytes),
    st.integers(240, LONGEST).map(lambda n: b"\x07" * n),  # runs of 254 and more
)
frames = st.one_of(
    st.builds(Hello, marks, st.sampled_from(["", "int8", "int4-range"]), marks, st.just("") | names),
    st.builds(Offload, numbers, contents),
    st.builds(RawSample, numbers, contents),
    st.builds(Verdict, numbers, numbers, st.sampled_from(["exit", "local", "fallback"])),
    st.just(Welcome()),
    st.builds(TailAnswer, numbers, numbers, st.integers(0, 255)),
    st.builds(Refusal, numbers, st.sampled_from(Refused)),
)


def received(*chunks):
    receiver = SerialReceiver(max_body_bytes(LONGEST))
    for chunk in chunks:
        receiver.receive(chunk)
    return list(receiver.events())


@given(data=contents | st.binary(max_size=1100))
@example(data=b"\1" * 254)
@example(data=b"\1" * 253 + b"\0")
@example(data=b"\1" * 254 + b"\0")
def test_stuffed_bytes_have_no_zero_and_come_back(data):
    there = stuffed(data)
    assert 0 not in there
    assert len(there) <= longest_stuffed(len(data))
    assert unstuffed(there) == data


@given(sent=st.lists(frames, max_size=6), cuts=st.lists(st.integers(0, 5000)))
def test_frames_come_back_however_their_bytes_are_cut(sent, cuts):
    line = b"".join(map(frame_bytes, sent))
    ends = sorted({0, len(line), *(cut for cut in cuts if cut < len(line))})
    chunks = [line[a:b] for a, b in pairwise(ends)]
    assert received(*chunks) == sent


@given(noise=st.binary(max_size=60), sent=frames)
def test_boot_noise_costs_no_frame(noise, sent):
    assert received(noise + frame_bytes(sent))[-1] == sent


@st.composite
def damages(draw):
    """A frame, and its bytes with some flipped, lost, doubled or put between."""
    frame = draw(frames)
    data = bytearray(frame_bytes(frame))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.sampled_from(["flip", "lose", "cut", "insert"])):
            case "flip":
                data[at] ^= draw(st.integers(1, 255))
            case "lose":
                del data[at : at + draw(st.integers(1, 8))]
            case "cut":
                del data[at:]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
        if not data:
            break
    return frame, bytes(data)


@given(damaged=damages(), before=frames, after=frames)
def test_damage_makes_no_other_frame_and_costs_none_but_its_own(damaged, before, after):
    frame, data = damaged
    line = frame_bytes(before) + data + frame_bytes(after)
    heard = [event for event in received(line) if not isinstance(event, Damaged)]
    assert heard in ([before, after], [before, frame, after])


@given(sent=frames, bit=st.data())
def test_a_flipped_bit_anywhere_costs_the_frame_and_no_more(sent, bit):
    data = bytearray(frame_bytes(sent))
    at = bit.draw(st.integers(1, len(data) - 2))
    data[at] ^= 1 << bit.draw(st.integers(0, 7))
    assert {type(event) for event in received(bytes(data))} == {Damaged}


def test_what_is_too_long_is_damage_and_takes_no_memory():
    receiver = SerialReceiver(max_body_bytes(100))
    for _ in range(1000):
        receiver.receive(b"\xaa" * 1000)
    assert len(receiver._held) <= longest_stuffed(max_body_bytes(100))
    receiver.receive(frame_bytes(Welcome()))
    assert list(receiver.events()) == [Damaged(1_000_000), Welcome()]


def with_check(body):
    return b"\0" + stuffed(body + crc32(body).to_bytes(4, "little")) + b"\0"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x21", "a frame of version 2; this offramp reads 1: give both sides the same version"),
        (b"\x17", "a frame of kind 7 with 0 bytes: version 1 has none like it"),
        (b"\x12\1", "a frame of kind 2 with 1 bytes: "),
        (b"\x14\1\0\2\0\3", "source 3 is none of 0..2"),
        (b"\x18\0", "a frame of kind 8 with 1 bytes: version 1 has none like it"),
        (b"\x1a\1\0\x63", "99 is not a valid Refused"),
        (b"\x11" + bytes(16), "a hello is longer"),
        (b"\x11" + bytes(16) + b"\x09int8", "the codec's name is cut short"),
        (b"\x11" + bytes(16) + b"\x04INT8", "'INT8' is no codec's name"),
        (b"\x11" + bytes(16) + b"\x00\xff", "can't decode"),
        (b"\x11" + bytes(16) + b"\x00 x", "' x' is no name: a letter or digit"),
    ],
)
def test_a_sound_frame_that_means_nothing_is_told_of(body, why):
    (event,) = received(with_check(body))
    assert isinstance(event, Strange)
    assert why in event.why


@pytest.mark.parametrize(
    "frame",
    [
        Offload(65536, b""),
        Verdict(1, 70000, "exit"),
        Hello("00", "int8", NOBODY),
        Hello(NOBODY, "int8", NOBODY, name="a b"),
    ],
    ids=["sequence", "label", "digest", "name"],
)
def test_values_without_a_place_in_a_frame_are_refused(frame):
    with pytest.raises(WireError, match="that has no place in a frame"):
        frame_bytes(frame)


def test_the_overhead_is_what_the_page_says():
    assert len(frame_bytes(Offload(1, b"\1" * 32))) == 32 + 10
    assert len(frame_bytes(TailAnswer(1, 2, 3))) == 13
    assert len(frame_bytes(Refusal(1, Refused.BUSY))) == 11
    assert len(frame_bytes(Verdict(1, 2, "exit"))) == 13
