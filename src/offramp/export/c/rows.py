"""C that adds up one row of a junction: a function for each index encoding, shared by all junctions that have it.

In integers the order of a sum does not matter, so processors with SMLAD or MVE add in another one; in float32
it is the order of the table, everywhere.
"""

from __future__ import annotations

from importlib import resources

from offramp.export.c.encodings import FARTHER, Encoding
from offramp.export.c.text import read

_UNROLLED = 4  # single edges in a loop's body
_FAST = 4  # contiguous inputs that `mac4` takes


def piece(name: str) -> str:
    """A piece of C that is the same in every program."""
    return resources.files("offramp.export.c").joinpath("pieces", f"{name}.c").read_text(encoding="utf-8")


class Row:
    """How the rows of a junction are added up.

    Args:
        encoding: of its edges.
        integers: whether in integers; else in float32.
    """

    def __init__(self, encoding: Encoding, *, integers: bool) -> None:
        self._encoding = encoding
        self._integers = integers
        self._sum, self._x, self._w = ("int32_t", "uint8_t", "int8_t") if integers else ("float",) * 3

    @property
    def _r(self) -> int:
        return self._encoding.block[0]

    @property
    def _farther(self) -> bool:
        """Whether a gap of the index takes more than a byte."""
        index = self._encoding.index
        return self._encoding.kind == "delta" and index is not None and bool((index == FARTHER).any())

    @property
    def name(self) -> str:
        """Of the function; equal for equal functions."""
        if self._encoding.kind == "dense":
            base = "dense"
        else:
            base = f"{self._encoding.kind}{'_far' if self._farther else ''}_{self._r}"
        return f"row_{base}" if self._integers else f"row_{base}_float"

    def call(self) -> list[str]:
        """Add a row to `sum`, and move `w` to the next, likewise `index` or `at`, where there is one."""
        encoding, n = self._encoding, self._encoding.per_row
        moved = f"w += {n * self._r};"
        if encoding.kind == "dense":
            return [f"sum = {self.name}(sum, x, w, {n});", moved]
        if encoding.affine is not None:
            step = encoding.affine.multiplier
            return [f"sum = {self.name}(sum, x, w, &at, {step}, N_BLOCKS, {n});", moved]
        if self._farther:
            return [f"sum = {self.name}(sum, x, w, &index, {n});", moved]
        return [f"sum = {self.name}(sum, x, w, index, {n});", moved, f"index += {n};"]

    def function(self) -> str:
        """Its definition."""
        kind = self._encoding.kind
        if kind == "dense":
            return self._dense()
        if kind == "affine":
            return self._affine()
        return self._delta() if kind == "delta" else self._indexed()

    def _dense(self) -> str:
        if self._integers:
            return piece("dense").replace("row_dense", self.name)
        return self._defined(
            "n products of neighbours",
            "",
            [*self._unrolled("n", lambda i: f"x[{i}]", ["x += {n};"])],
        )

    def _indexed(self) -> str:
        encoding, r = self._encoding, self._r
        assert encoding.index is not None
        words = "n blocks that an index names" if r > 1 else "n products of inputs that an index names"
        index = f"const {'uint16_t' if encoding.kind == 'u16' else 'uint8_t'} *index"
        if r == 1:
            body = self._unrolled(
                "n",
                lambda i: f"x[{read(encoding.index, f'index + {i}' if i else 'index')}]",
                ["index += {n};"],
            )
        else:
            one = read(encoding.index, "index")
            body = [
                "for (; n > 0; n--) {",
                f"    const {self._x} *p = x + (uint32_t){one} * {r};",
                "    index++;",
                *(f"    {line}" for line in self._block()),
                "}",
            ]
        if self._integers and r in (1, _FAST):
            body = [*piece(f"mve_{encoding.kind}_{r}").splitlines(), *body]
        return self._defined(words, f", {index}", body)

    def _delta(self) -> str:
        index = self._encoding.index
        assert index is not None
        pointer = "*index" if self._farther else "index"
        step = [f"step = {read(index, pointer)};", f"({pointer})++;" if self._farther else "index++;"]
        if self._farther:
            step += [f"while (step == {FARTHER}) {{", f"    x += {FARTHER * self._r};"]
            step += [f"    {line}" for line in step[:2]] + ["}"]
        step.append(f"x += step * {self._r};" if self._r > 1 else "x += step;")
        inner = [self._product("*x"), "w++;"] if self._r == 1 else self._block("x")
        body = [
            "for (; n > 0; n--) {",
            "    uint_fast16_t step;",
            *(f"    {line}" for line in [*step, *inner]),
            "}",
        ]
        stars = "**" if self._farther else "*"
        return self._defined(
            "n blocks, each so far behind the one before", f", const uint8_t {stars}index", body
        )

    def _affine(self) -> str:
        r = self._r
        target = "x[at]" if r == 1 else f"x + at * {r}"
        inner = (
            [self._product(target), "w++;"] if r == 1 else [f"const {self._x} *p = {target};", *self._block()]
        )
        body = ["uint32_t at = *from;"]
        if self._integers and r == 1:
            body += piece("mve_affine_1").splitlines()
        body += [
            "for (; n > 0; n--) {",
            *(f"    {line}" for line in inner),
            "    at += step;",
            "    at -= at >= of ? of : 0;",
            "}",
            "*from = at;",
        ]
        return self._defined(
            "n blocks, each `step` behind the one before, modulo `of`",
            ", uint32_t *from, uint32_t step, uint32_t of",
            body,
        )

    def _block(self, p: str = "p") -> list[str]:
        """The r contiguous inputs from p on."""
        r = self._r
        if self._integers and r % _FAST == 0:
            return [
                f"sum = mac4(sum, {p}{f' + {i}' if i else ''}, w{f' + {i}' if i else ''});"
                for i in range(0, r, 4)
            ] + [f"w += {r};"]
        products = [self._product(f"{p}[{i}]", f"w + {i}" if i else "w") for i in range(r)]
        return [*products, f"w += {r};"]

    def _unrolled(self, n: str, x: object, moved: list[str]) -> list[str]:
        """Single edges, several in each round of a loop, then the others."""
        lines = []
        for count in (_UNROLLED, 1):
            products = [self._product(x(i), f"w + {i}" if i else "w") for i in range(count)]  # type: ignore[operator]
            lines += [
                f"for (; {n} >= {count}; {n} -= {count}) {{" if count > 1 else f"for (; {n} > 0; {n}--) {{"
            ]
            lines += [
                f"    {line}"
                for line in [*products, *(line.format(n=count) for line in moved), f"w += {count};"]
            ]
            lines += ["}"]
        return lines

    def _product(self, x: str, w: str = "w") -> str:
        return f"sum += {read(self._encoding.weights, w)} * {x};"

    def _defined(self, words: str, arguments: str, body: list[str]) -> str:
        lines = [
            f"/* {words}. */",
            f"static {self._sum} {self.name}({self._sum} sum, const {self._x} *x, const {self._w} *w{arguments}, uint_fast16_t n)",
            "{",
            *(line if line.startswith("#") else f"    {line}" for line in body),
            "    return sum;",
            "}",
            "",
        ]
        return "\n".join(lines)
