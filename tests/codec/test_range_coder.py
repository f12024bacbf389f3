from fractions import Fraction
from itertools import accumulate
from math import ceil, log2, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.codec import range_coder
from offramp.errors import WireError

TOTAL_BITS = 12


@st.composite
def tables(draw):
    """The starts of up to 16 symbols, often as lopsided as can be."""
    frequencies = [1] * draw(st.integers(1, 16))
    for place in draw(st.lists(st.integers(0, len(frequencies) - 1), max_size=3)):
        frequencies[place] += draw(st.integers(0, 4096 - sum(frequencies)))
    frequencies[draw(st.integers(0, len(frequencies) - 1))] += 4096 - sum(frequencies)
    return [0, *accumulate(frequencies)]


messages = st.lists(
    tables().flatmap(lambda table: st.tuples(st.just(table), st.integers(0, len(table) - 2))), max_size=60
)


def encode(message):
    return range_coder.encode([(table[s], table[s + 1] - table[s]) for table, s in message], TOTAL_BITS)


def decode(data, message):
    return range_coder.decode(data, [table for table, _ in message], TOTAL_BITS)


@given(message=messages, padding=st.integers(0, 3))
def test_symbols_come_back_whatever_zeros_follow(message, padding):
    data = encode(message)
    assert decode(data + bytes(padding), message) == [symbol for _, symbol in message]
    assert not data.endswith(b"\0")
    with pytest.raises(WireError):
        decode(data + bytes(100 + padding) + b"\1", message)
    assert data[:1] != b"\xff"


@given(message=messages)
def test_a_message_takes_a_byte_more_than_its_information_at_most(message):
    probability = prod(Fraction(table[s + 1] - table[s], 1 << TOTAL_BITS) for table, s in message)
    information = -log2(probability * Fraction(255, 256))  # bits
    assert len(encode(message)) <= information / 8 + 1 + len(message) * 2.0**-12


@given(message=messages.filter(bool), data=st.binary(max_size=12))
def test_bytes_that_are_no_message_are_refused(message, data):
    try:
        symbols = decode(data, message)
    except WireError:
        return
    assert encode([(table, s) for (table, _), s in zip(message, symbols, strict=True)]) == data.rstrip(b"\0")


def interval(message):
    """Low and size of the final interval, exactly."""
    low, size, unit = Fraction(0), range_coder.FIRST_RANGE, Fraction(1, 1 << 32)
    for table, symbol in message:
        size >>= TOTAL_BITS
        low += size * table[symbol] * unit
        size *= table[symbol + 1] - table[symbol]
        while size < 1 << 24:
            size <<= 8
            unit /= 256
    return low, size * unit


@given(message=messages)
def test_the_message_is_the_shortest_number_in_its_interval(message):
    low, size = interval(message)
    data = encode(message)
    assert low <= Fraction(int.from_bytes(data), 256 ** len(data)) < low + size
    if data:
        shorter = 256 ** (len(data) - 1)
        assert Fraction(ceil(low * shorter), shorter) >= low + size


def test_a_carry_runs_through_a_byte_of_255():
    table = [0, 100, 4000, 4096]
    message = [(table, symbol) for symbol in (2, 2, 0, 2, 2, 0)]
    assert encode(message) == bytes.fromhex("fedd04")  # without carries it begins with fe dc 03 ff
    assert decode(b"\xfe\xdd\x04", message) == [2, 2, 0, 2, 2, 0]


def test_no_symbols_take_no_bytes():
    assert encode([]) == b""
    assert decode(b"\0\0", []) == []
    with pytest.raises(WireError, match="coded features are not in their shortest form; they are damaged"):
        decode(b"\1", [])


def test_numbers_beyond_all_symbols_are_refused():
    with pytest.raises(
        WireError, match="coded features leave the range that symbols share; they are damaged"
    ):
        range_coder.decode(b"\xff\xff", [[0, 4096]], TOTAL_BITS)
