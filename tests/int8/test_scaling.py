"""From sums to symbols: the 64-bit form that we compute is the 32-bit one of docs/formats/int8.md."""

import ctypes
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.int8 import Scaling, scaling

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "int8.md"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1", "-ftrapv")
ALL = """
#include <stdint.h>
{code}
void symbols(const int32_t *sums, int32_t n, uint16_t multiplier, uint8_t lift, uint8_t shift, uint8_t limit,
             uint8_t *out)
{{
    for (int32_t i = 0; i < n; i++) out[i] = symbol(sums[i], multiplier, lift, shift, limit);
}}
"""


@pytest.fixture(scope="module")
def symbols(tmp_path_factory):
    """The page's function, on many sums."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, cc, is here")
    folder = tmp_path_factory.mktemp("page")
    (code,) = re.findall(r"```c\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "page.c").write_text(ALL.format(code=code), encoding="utf-8")
    subprocess.run([compiler, *STRICT, "-o", folder / "page.so", folder / "page.c"], check=True)
    function = ctypes.CDLL(str(folder / "page.so")).symbols

    def run(sums, multiplier, scale):
        given, out = sums.astype(np.int32), np.empty(len(sums), np.uint8)
        pointers = given.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p)
        function(pointers[0], len(given), multiplier, scale.lift, scale.shift, scale.limit, pointers[1])
        return out

    return run


@st.composite
def scalings(draw):
    """A scaling of one output, and sums, many of them where its symbols change."""
    lift, shift = draw(st.sampled_from([0, 0, 1, 5, 30])), draw(st.integers(17, 47))
    multiplier = draw(st.one_of(st.integers(32768, 65535), st.integers(0, 65535)))
    limit, most = draw(st.sampled_from([15, 255])), (2**31 - 1) >> lift
    sums = np.random.default_rng(draw(st.integers(0, 9999))).integers(-most, most + 1, 1000)
    edges = [0, 1, -1, most, -most]
    if multiplier:
        ends = (2 * np.arange(limit + 2) + 1).astype(object) * 2 ** (shift - 1) // (multiplier << lift)
        edges += [min(int(end) + near, most) for end in ends for near in (-1, 0, 1)]
    made = Scaling(np.array([multiplier]), shift, lift, limit)
    return made, np.concatenate([sums, np.array(edges)])


@given(scalings())
def test_the_c_of_the_page_gives_our_symbols(symbols, case):
    made, sums = case
    ours = made(sums[:, None])[:, 0]
    np.testing.assert_array_equal(symbols(sums, int(made.multiplier[0]), made), ours)


RATIO = st.floats(2.0**-34, 200)


@given(st.lists(RATIO, min_size=1, max_size=5), st.sampled_from([15, 255]))
def test_a_symbol_is_the_nearest_or_next_to_a_tie(ratios, limit):
    """Half a step, and what a multiplier of 16 bits cannot tell."""
    made = scaling(np.array(ratios), 2**20, limit)
    assert 17 <= made.shift <= 47
    sums = np.random.default_rng(1).integers(0, 2**20, (200, len(ratios)))
    for k, ratio in enumerate(ratios):
        if ratio < max(ratios):  # they share a shift; the coarsest is exact to its last bit
            continue
        for total, symbol in zip(sums[:, k].tolist(), made(sums)[:, k].tolist(), strict=True):
            exact = Fraction(ratio) * total
            wanted = min(exact, limit)
            assert abs(symbol - wanted) <= Fraction(1, 2) + wanted / 2**15


def test_a_grid_that_is_too_fine_for_the_sums_is_refused():
    with pytest.raises(ConfigError, match="steps to a unit of sums that reach 1,048,576: too fine"):
        scaling(np.array([4100.0]), 2**20, 255)
