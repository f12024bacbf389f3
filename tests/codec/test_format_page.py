"""docs/formats/codecs.md has the range coder in C: it must write the bytes that we write."""

import ctypes
import re
import shutil
import subprocess
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offramp.codec import CODECS, range_coder

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "codecs.md"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1")


@pytest.fixture(scope="module")
def range_encode(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, cc, is here")
    folder = tmp_path_factory.mktemp("page")
    (code,) = re.findall(r"```c\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "page.c").write_text(code, encoding="utf-8")
    subprocess.run([compiler, *STRICT, "-o", folder / "page.so", folder / "page.c"], check=True)
    return ctypes.CDLL(str(folder / "page.so")).range_encode


@st.composite
def messages(draw):
    """Total bits, and shares of symbols, often as rare or as common as can be."""
    total_bits = draw(st.sampled_from([12, 16]))
    shares = []
    for _ in range(draw(st.integers(0, 40))):
        cuts = draw(st.lists(st.integers(1, (1 << total_bits) - 1), max_size=5, unique=True))
        starts = [0, *sorted(cuts), 1 << total_bits]
        symbol = draw(st.integers(0, len(starts) - 2))
        shares.append((starts[symbol], starts[symbol + 1] - starts[symbol]))
    return total_bits, shares


_CARRYING = [0, *accumulate((100, 3900, 96))]


@given(message=messages())
@example(message=(12, [(_CARRYING[s], _CARRYING[s + 1] - _CARRYING[s]) for s in (2, 2, 0, 2, 2, 0)]))
def test_the_c_of_the_page_writes_our_bytes(range_encode, message):
    total_bits, shares = message
    n = len(shares)
    start, frequency = ((ctypes.c_uint32 * n)(*(share[i] for share in shares)) for i in (0, 1))
    out = (ctypes.c_uint8 * (2 * n + 1))()
    used = range_encode(start, frequency, n, total_bits, out)
    assert bytes(out[:used]) == range_coder.encode(shares, total_bits)


def test_the_page_names_every_codec():
    first_cells = re.findall(
        r"^\| (`.+?) \|", PAGE.read_text(encoding="utf-8").split("## Parameters")[0], re.MULTILINE
    )
    assert re.findall(r"`([^`]+)`", " ".join(first_cells)) == list(CODECS)
