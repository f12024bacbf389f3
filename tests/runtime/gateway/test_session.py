import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import read_terms
from offramp.codec import fit_codec
from offramp.runtime.gateway.answers import GatewayTally
from offramp.runtime.gateway.session import Question, Session
from offramp.wire.serial import (
    NOBODY,
    Hello,
    Offload,
    RawSample,
    Refusal,
    Refused,
    TailAnswer,
    Verdict,
    Welcome,
    frame_bytes,
)


@pytest.fixture(scope="module")
def terms(bundle_path):
    terms = read_terms(bundle_path)
    features = np.random.default_rng(0).random((50, terms.n_sent), dtype=np.float32)
    return replace(terms, codec=fit_codec("int8", features))


@pytest.fixture
def hello(terms):
    return Hello(terms.features_digest[:16], "int8", terms.codec.digest, "line-4")


class Talker:
    """A session, and what is said to it."""

    def __init__(self, terms):
        self.tally = GatewayTally()
        self.session = Session(terms, self.tally)
        self.session.begin()

    def says(self, *frames):
        return list(self.session.receive(b"".join(map(frame_bytes, frames))))


@pytest.fixture
def talker(terms):
    return Talker(terms)


def test_a_device_of_this_head_is_welcome_and_asks(talker, hello):
    assert talker.says(hello, Offload(3, bytes(8))) == [
        Welcome(),
        Question(talker.session.life, 3, bytes(8), raw=False),
    ]
    assert talker.says(RawSample(4, bytes(12))) == [Question(talker.session.life, 4, bytes(12), raw=True)]
    assert talker.says(Verdict(5, 2, "exit")) == [Verdict(5, 2, "exit")]


@pytest.mark.parametrize(
    "changes",
    [{"head": "ab" * 8}, {"codec": "int4"}, {"codec_digest": "cd" * 8}],
    ids=["head", "codec", "parameters"],
)
def test_another_head_or_codec_gets_no_answers(talker, hello, changes, caplog):
    caplog.set_level(logging.INFO, "offramp.runtime")
    stranger = replace(hello, **changes)
    assert talker.says(stranger, stranger, Offload(1, bytes(8)), Verdict(2, 0, "exit")) == [
        Refusal(0, Refused.OTHER_HEAD),
        Refusal(0, Refused.OTHER_HEAD),
        Refusal(1, Refused.OTHER_HEAD),
        Refusal(2, Refused.OTHER_HEAD),
    ]
    (said,) = caplog.messages  # once, however often it says hello
    assert said == talker.session.stranger
    for mark in (stranger.head, stranger.codec_digest, hello.head, hello.codec_digest):
        assert mark in said
    assert said.startswith("device line-4 has head ")
    assert said.endswith(
        "; give the bundle that the device's head was exported from, or export this one's and flash it"
    )
    assert talker.says(hello) == [Welcome()]
    assert talker.session.stranger == ""


def test_a_device_that_has_not_said_hello_is_asked_to(talker, hello):
    assert talker.says(Offload(9, bytes(8))) == [Refusal(9, Refused.SAY_HELLO)]
    talker.says(hello)
    assert talker.session.begin() == Refusal(0, Refused.SAY_HELLO)  # another device may be there now
    assert talker.says(Verdict(9, 0, "exit")) == [Refusal(9, Refused.SAY_HELLO)]
    assert talker.tally.counts().unknown == 2


def test_a_device_without_a_head_sends_samples_only(talker):
    assert talker.says(Hello(NOBODY, "", NOBODY), Offload(1, bytes(8))) == [
        Welcome(),
        Refusal(1, Refused.OTHER_HEAD),
    ]
    assert talker.says(RawSample(2, bytes(12)))[0].raw


@pytest.mark.parametrize(
    "frame",
    [
        Offload(7, b""),
        Offload(7, bytes(9)),
        RawSample(7, bytes(11)),
        RawSample(7, bytes(13)),
        Verdict(7, 3, "exit"),
    ],
    ids=["no row", "long row", "short sample", "long sample", "class"],
)
def test_what_this_head_cannot_have_made_is_refused(talker, hello, frame):
    talker.says(hello)
    assert talker.says(frame) == [Refusal(7, Refused.UNREADABLE)]
    assert talker.tally.counts().unreadable == 1


def test_every_hello_begins_a_life(talker, hello):
    talker.says(hello)
    (before,) = talker.says(Offload(1, bytes(8)))
    talker.says(hello)
    assert before.life != talker.session.life


def test_an_echo_and_a_newer_device_are_told_of(talker, hello, caplog):
    caplog.set_level(logging.INFO, "offramp.runtime")
    assert talker.says(TailAnswer(1, 2, 3), TailAnswer(1, 2, 3)) == []
    assert list(talker.session.receive(b"\0\x06\x21\x77\x66\x55\x44\0\0")) == []
    assert talker.tally.counts().strange == 2
    assert talker.tally.counts().damaged == 1
    assert caplog.messages == ["the line gives back what is written to it; switch its echo off"]


@given(noise=st.binary(max_size=200))
def test_noise_alone_asks_nothing(terms, noise):
    assert Talker(terms).says() == list(Session(terms, GatewayTally()).receive(noise)) == []
