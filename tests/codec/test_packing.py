import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.codec.packing import pack, packed_bytes, unpack
from offramp.errors import WireError


@pytest.mark.parametrize("bits", [4, 8])
@given(data=st.data())
def test_packed_symbols_come_back(bits, data):
    shape = st.tuples(st.integers(0, 4), st.integers(0, 9))
    symbols = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, (1 << bits) - 1)))
    rows = pack(symbols, bits)
    assert rows.shape == (len(symbols), packed_bytes(symbols.shape[1], bits))
    for dtype in (np.uint8, np.float32):
        back = np.empty(symbols.shape, dtype)
        unpack(rows, bits, back)
        np.testing.assert_array_equal(back, symbols)


def test_the_first_of_two_lies_in_the_low_nibble():
    assert pack(np.array([[1, 2, 3]], np.uint8), 4).tobytes() == b"\x21\x03"


def test_bits_beside_the_last_symbol_are_refused():
    with pytest.raises(WireError, match="a byte with one symbol has bits above it; the upper four must be 0"):
        unpack(np.array([[0x21, 0x13]], np.uint8), 4, np.empty((1, 3), np.float32))
