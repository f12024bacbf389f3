"""The C for devices must write the bytes that the Python core writes, and read what it writes."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import offramp.wire.serial
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
from offramp.wire.serial.stuffing import stuffed, unstuffed

SOURCE = Path(offramp.wire.serial.__file__).parent / "offramp_serial.c"
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{SOURCE.parent}")
SANITISED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ME = Hello("0123456789abcdef", "int8", "fedcba9876543210", "line-4")
SOURCES = ("exit", "local", "fallback")

numbers = st.integers(0, 65535)
values = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([0, 1, 255]), max_size=20).map(bytes),
    st.integers(240, 600).map(lambda n: b"\x07" * n),
)


class Device:
    """The driver, with all sanitisers; a line in, a line out."""

    def __init__(self, program):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe, text=True)

    def do(self, *words):
        """What was put on the line, and the words about it."""
        self.process.stdin.write(" ".join(str(word) or "-" for word in words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the sanitisers have ended the driver"
        put, *said = line.rstrip("\n").split(" ")
        return bytes.fromhex(put), said

    def begin(self, head=ME.head, digest=ME.codec_digest, codec=ME.codec, name=ME.name):
        return self.do("b", head, digest, codec, name)

    def feed(self, data):
        return self.do("f", data.hex())

    def welcomed(self):
        self.begin()
        assert self.feed(frame_bytes(Welcome())) == (b"", ["welcome"])


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, cc, is here")
    program = tmp_path_factory.mktemp("driver") / "driver"
    sources = (Path(__file__).parent / "driver.c", SOURCE)
    subprocess.run([compiler, *STRICT, *SANITISED, "-o", program, *sources], check=True)
    device = Device(program)
    yield device
    device.process.stdin.close()
    assert device.process.wait(10) == 0
    device.process.stdout.close()


@given(
    mark=st.binary(min_size=32, max_size=32),
    digest=st.just("") | st.binary(min_size=8, max_size=8).map(bytes.hex),
    name=st.just("") | st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"),
)
def test_a_device_says_the_hello_that_we_write(device, mark, digest, name):
    put, _ = device.begin(mark.hex(), digest, "int4-range", name)
    assert put == frame_bytes(Hello(mark[:8].hex(), "int4-range", digest or NOBODY, name))


def test_a_device_without_a_head_says_so(device):
    assert device.begin("", "", "", "")[0] == frame_bytes(Hello(NOBODY, "", NOBODY))


@given(sequence=numbers, row=values)
@example(sequence=0, row=b"\1" * 251)
@example(sequence=257, row=b"\1" * 251)
@example(sequence=257, row=b"\0" * 65000)
def test_questions_are_the_bytes_that_we_write(device, sequence, row):
    device.welcomed()
    assert device.do("o", sequence, row.hex()) == (frame_bytes(Offload(sequence, row)), ["sent"])
    assert device.do("s", sequence, row.hex()) == (frame_bytes(RawSample(sequence, row)), ["sent"])


@given(sequence=numbers, label=numbers, source=st.sampled_from(SOURCES))
def test_verdicts_are_the_bytes_that_we_write(device, sequence, label, source):
    device.welcomed()
    put, said = device.do("v", sequence, label, SOURCES.index(source))
    assert (put, said) == (frame_bytes(Verdict(sequence, label, source)), ["sent"])


def test_nothing_is_sent_before_a_welcome(device):
    device.begin()
    assert device.do("o", 1, "00") == (b"", ["kept"])
    assert device.do("s", 1, "00") == (b"", ["kept"])
    assert device.do("v", 1, 2, 0) == (b"", ["kept"])


replies = st.one_of(
    st.just(Welcome()),
    st.builds(TailAnswer, numbers, numbers, st.integers(0, 255)),
    st.builds(Refusal, numbers, st.sampled_from([why for why in Refused if why > 2])),
)


def words(reply):
    match reply:
        case Welcome():
            return "welcome"
        case TailAnswer(sequence, label, confidence):
            return f"answer,{sequence},{label},{confidence}"
        case Refusal(sequence, why):
            return f"refused,{sequence},{int(why)}"


@given(said=st.lists(replies, max_size=6), noise=st.binary(max_size=40))
def test_a_device_hears_every_reply_through_noise(device, said, noise):
    device.welcomed()
    line = b"".join(noise + frame_bytes(reply) for reply in said)
    assert device.feed(line) == (b"", [words(reply) for reply in said])


@given(
    replies=st.tuples(replies, replies, replies),
    at=st.integers(0, 20),
    cut=st.integers(0, 4),
    put_in=st.binary(max_size=30),
)
def test_damage_costs_a_device_one_reply_and_makes_no_other(device, replies, at, cut, put_in):
    device.welcomed()
    before, hit, after = map(frame_bytes, replies)
    _, heard = device.feed(before + hit[:at] + put_in + hit[at + cut :] + after)
    wanted = [words(reply) for reply in replies]
    assert heard in (wanted, [wanted[0], wanted[2]])


def test_a_frame_that_is_too_long_is_no_reply_whatever_it_begins_with(device):
    device.welcomed()
    reply = unstuffed(frame_bytes(TailAnswer(1, 2, 3)).strip(b"\0"))
    assert device.feed(b"\0" + stuffed(reply) + b"\0")[1] == ["answer,1,2,3"]
    assert device.feed(b"\0" + stuffed(reply + b"\7") + b"\0")[1] == []


@given(data=st.binary(max_size=400))
def test_hostile_bytes_do_not_harm_a_device(device, data):
    device.welcomed()
    device.feed(b"\0" + data)


def test_asked_for_it_a_device_says_hello_again_and_sends_nothing_more(device):
    device.welcomed()
    ask = Refusal(7, Refused.SAY_HELLO)
    put, said = device.feed(frame_bytes(ask))
    assert (put, said) == (frame_bytes(ME), ["refused,7,1"])
    assert device.do("o", 1, "00")[1] == ["kept"]


def test_a_device_of_another_head_sends_nothing_more(device):
    device.welcomed()
    assert device.feed(frame_bytes(Refusal(0, Refused.OTHER_HEAD))) == (b"", ["refused,0,2"])
    assert device.do("o", 1, "00")[1] == ["kept"]


def test_an_answer_before_the_welcome_is_for_another_life(device):
    device.begin()
    assert device.feed(frame_bytes(TailAnswer(1, 2, 3))) == (b"", [])


CROSS = {
    "cortex-m3": ("arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb"),
    "cortex-m0": ("arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb"),
    "atmega328p": ("avr-gcc", "-mmcu=atmega328p"),
}


@pytest.mark.parametrize("optimise", ["-Os", "-O2"])  # they warn of different things
@pytest.mark.parametrize("target", CROSS)
def test_the_code_compiles_for_small_processors(target, optimise, tmp_path):
    compiler, *flags = CROSS[target]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, *flags, *STRICT, optimise, "-c", SOURCE, "-o", tmp_path / "device.o"]
    subprocess.run(command, check=True)
