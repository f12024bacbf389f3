"""C that adds up rows of a junction: a function for each encoding, shared by the junctions that have it.

Rows that go through the same inputs are added together, which loads each input once. In integers the order of
a sum does not matter, so processors with SMLAD or MVE add in another one; in float32 it is the order of the
table, everywhere.
"""

from __future__ import annotations

from importlib import resources

from offramp.export.c.encodings import CHUNK, FARTHER, Encoding
from offramp.export.c.text import inside, read


def piece(name: str) -> str:
    """A piece of C that is the same in every program."""
    return resources.files("offramp.export.c").joinpath("pieces", f"{name}.c").read_text(encoding="utf-8")


class Rows:
    """How the rows of a junction are added up, `encoding.together` at once.

    Args:
        encoding: of its edges.
        integers: whether in integers; else in float32.
    """

    def __init__(self, encoding: Encoding, *, integers: bool) -> None:
        self._encoding = encoding
        self._integers = integers
        self._sum, self._x, self._w = ("int32_t", "uint8_t", "int8_t") if integers else ("float",) * 3

    @property
    def name(self) -> str:
        """Of the function; equal for equal functions."""
        encoding, (r, _) = self._encoding, self._encoding.block
        far = "_far" if self._is_far else ""
        size = f"{encoding.together}" if encoding.kind == "dense" else f"{r}x{encoding.together}"
        return f"rows_{encoding.kind}{far}_{size}" + ("" if self._integers else "_float")

    def call(self) -> list[str]:
        """Add rows to `sum`, and move `w` to the next, likewise `index` or `at`, where there is one."""
        encoding, n = self._encoding, self._encoding.per_row
        moved = [f"w += {encoding.together * n * encoding.block[0]};"]
        if encoding.kind == "dense":
            return [f"{self.name}(sum, x, w, {n});", *moved]
        if encoding.affine is not None:
            return [f"{self.name}(sum, x, w, &at, {encoding.affine.multiplier}, N_BLOCKS, {n});", *moved]
        if self._is_far:
            return [f"{self.name}(sum, x, w, &index, {n});", *moved]
        return [f"{self.name}(sum, x, w, index, {n});", *moved, f"index += {n};"]

    def function(self) -> str:
        """Its definition."""
        match self._encoding.kind:
            case "dense":
                return self._defined("all inputs, n of them", "", self._dense())
            case "affine":
                words = "n blocks of inputs, each `step` behind the one before, modulo `of`"
                return self._defined(words, ", uint32_t *from, uint32_t step, uint32_t of", self._affine())
            case "delta":
                words = "n blocks of inputs, each as far behind the one before as the index says"
                star = "**" if self._is_far else "*"
                return self._defined(words, f", const uint8_t {star}index", self._delta())
            case kind:
                index = f", const {'uint16_t' if kind == 'u16' else 'uint8_t'} *index"
                return self._defined("n blocks of inputs that the index names", index, self._indexed())

    @property
    def _is_far(self) -> bool:
        """Whether a gap of the index takes more than a byte."""
        index = self._encoding.index
        return self._encoding.kind == "delta" and index is not None and bool((index == FARTHER).any())

    @property
    def _alone(self) -> bool:
        """Whether MVE can take many inputs of one row at once."""
        return self._integers and self._encoding.together == 1

    def _dense(self) -> list[str]:
        wide = [
            f"for (; n >= {CHUNK}; n -= {CHUNK}, x += {CHUNK}, w += {CHUNK * self._encoding.together}) {{",
            *inside(self._products("x", CHUNK)),
            "}",
        ]
        rest = [
            f"for (; n > 0; n--, x++, w += {self._encoding.together}) {{",
            *inside(self._products("x", 1)),
            "}",
        ]
        fast = piece("mve_dense").splitlines() if self._alone else []
        return [*fast, *wide, *rest]

    def _indexed(self) -> list[str]:
        encoding, (r, _) = self._encoding, self._encoding.block
        assert encoding.index is not None
        fast: list[str] = []
        if self._alone and r in (1, CHUNK):
            load = "vldrbq" if encoding.kind == "u8" else "vldrhq"
            fast = piece(f"mve_indexed_{r}").replace("vldrXq", load).splitlines()
        one = read(encoding.index, "index")
        place = f"x + {one}" if r == 1 else f"x + (uint32_t){one} * {r}"
        block = [f"const {self._x} *p = {place};", "index++;", *self._block()]
        return [*fast, "for (; n > 0; n--) {", *inside(block), "}"]

    def _delta(self) -> list[str]:
        index, r = self._encoding.index, self._encoding.block[0]
        assert index is not None
        pointer = "*index" if self._is_far else "index"
        step = [f"step = {read(index, pointer)};", f"({pointer})++;" if self._is_far else "index++;"]
        if self._is_far:
            step += [f"while (step == {FARTHER}) {{", f"    p += {FARTHER * r};", *inside(step), "}"]
        step.append(f"p += step * {r};" if r > 1 else "p += step;")
        block = ["uint_fast16_t step;", *step, *self._block()]
        return [f"const {self._x} *p = x;", "for (; n > 0; n--) {", *inside(block), "}"]

    def _affine(self) -> list[str]:
        r = self._encoding.block[0]
        fast = piece("mve_affine_1").splitlines() if self._alone and r == 1 else []
        block = [
            f"const {self._x} *p = x + at{f' * {r}' if r > 1 else ''};",
            *self._block(),
            "at += step;",
            "at -= at >= of ? of : 0;",
        ]
        return ["uint32_t at = *from;", *fast, "for (; n > 0; n--) {", *inside(block), "}", "*from = at;"]

    def _block(self) -> list[str]:
        """The block of inputs from p on."""
        r, g = self._encoding.block[0], self._encoding.together
        chunk = CHUNK if r % CHUNK == 0 else r
        lines = []
        for start in range(0, r, chunk):
            lines += self._products(f"p + {start}" if start else "p", chunk)
            lines.append(f"w += {chunk * g};")
        return lines

    def _products(self, p: str, n: int) -> list[str]:
        """n neighbouring inputs from p on, times as many weights of each row; w stays."""
        scalar = []
        for i in range(n):
            x = f"({p})[{i}]" if "+" in p else f"{p}[{i}]"
            scalar += [
                f"s{j} += {read(self._encoding.rows, f'w + {j * n + i}' if j or i else 'w')} * {x};"
                for j in range(self._encoding.together)
            ]
        if not self._integers or n != CHUNK:
            return scalar
        pairs = ["uint32_t a, b;", "int16x2_t even, odd;", f"memcpy(&a, {p}, 4);"]
        pairs += ["even = (int16x2_t)__uxtb16(a);", "odd = (int16x2_t)odd_symbols(a);"]
        for j in range(self._encoding.together):
            pairs += [
                f"memcpy(&b, w{f' + {j * n}' if j else ''}, 4);",
                f"s{j} = __smlad(even, __sxtb16((int8x4_t)b), s{j});",
                f"s{j} = __smlad(odd, odd_weights(b), s{j});",
            ]
        return ["#if DO_DSP", "{", *inside(pairs), "}", "#else", *scalar, "#endif"]

    def _defined(self, words: str, arguments: str, body: list[str]) -> str:
        g = self._encoding.together
        within = g > 1 or self._encoding.block[1] > 1  # a loop over the outputs of a block
        apart = "NOT_INLINED " if within and self._encoding.kind != "dense" else ""
        sums = ", ".join(f"s{j} = sum[{j}]" for j in range(g))
        lines = [
            f"/* {words[0].upper()}{words[1:]}. */",
            f"{apart}static void {self.name}(",
            f"    {self._sum} *sum, const {self._x} *x, const {self._w} *w{arguments}, uint_fast16_t n)",
            "{",
            *inside([f"{self._sum} {sums};", *body, *(f"sum[{j}] = s{j};" for j in range(g))]),
            "}",
            "",
        ]
        return "\n".join(lines)
