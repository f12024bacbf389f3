"""C from a raw sample to what the first junction reads: pooled, scaled, on a grid, as in training.

Two forms: an array of all inputs, or each as it comes, for a junction that is computed input by input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from offramp.bundle import Preprocessing
from offramp.codec import Grid
from offramp.export.c.rows import piece
from offramp.export.c.text import float_number, inside, table

_WORD = 4  # pixels that are looked at together
_NARROW = 16  # the largest pool whose sums of bytes 16 bits hold


@dataclass(frozen=True)
class Inputs:
    """From raw values to inputs.

    Args:
        prefix: of names.
        preprocessing: of the bundle.
        integers: whether inputs are symbols; else they are float32.
        grid: of symbols that no bytes are; None where bytes are the symbols.
        streamed: whether each input is taken as it comes.
    """

    prefix: str
    preprocessing: Preprocessing
    integers: bool
    grid: Grid | None
    streamed: bool

    @property
    def raw(self) -> Literal["uint8_t", "float"]:
        """The C type of a raw value."""
        return "uint8_t" if self.preprocessing.dtype == "uint8" else "float"

    @property
    def type(self) -> Literal["uint8_t", "float"]:
        """The C type of an input."""
        return "uint8_t" if self.integers else "float"

    @property
    def bytes_as_they_are(self) -> bool:
        """Whether inputs are means of raw bytes, in integers."""
        return self.integers and self.grid is None

    @property
    def as_they_are(self) -> bool:
        """Whether the sample itself is the array of inputs."""
        return self.bytes_as_they_are and self.preprocessing.pool == 1

    @property
    def n_raw(self) -> int:
        """Values of a raw sample."""
        total = 1
        for side in self.preprocessing.shape:
            total *= side
        return total

    @property
    def by_words(self) -> bool:
        """Whether windows are added up four pixels at a time."""
        rule = self.preprocessing
        return self.bytes_as_they_are and rule.pool in (2, 4) and rule.shape[1] % _WORD == 0

    @property
    def two_at_once(self) -> bool:
        """Whether two neighbours come together, the first of them an even one."""
        return self.by_words and self.preprocessing.pool == 2

    def tables(self) -> list[str]:
        """Definitions that the functions below need."""
        made = [piece("grid_symbol")] if self.grid is not None else []
        if not self.bytes_as_they_are:
            for name in ("offset", "scale"):
                value = np.asarray(getattr(self.preprocessing, name), np.float32)
                if value.ndim:
                    made.append(table(f"{self.prefix}_{name}", value, f"{name} of each input"))
        if self.by_words:
            made.append(self._words())
        return made

    def array(self) -> str:
        """`inputs_of`, which fills an array."""
        rule, words = self.preprocessing, "/* All inputs of a sample. */"
        body = ["uint_fast16_t i;"]
        if self.by_words:
            body = self._windows(
                declared=[f"{self._counter} column, row;"],
                each=["*input++ = (uint8_t)(sums >> 2);", "*input++ = (uint8_t)(sums >> 18);"]
                if rule.pool == 2
                else ["*input++ = window_of(sums);"],
                skip=None,
            )
            if rule.pool == 2:
                fast = piece("mve_pool_2").replace("WIDTH", str(rule.shape[1]))
                fast = fast.replace("HEIGHT", str(rule.shape[0] // 2))
                body = [*fast.splitlines(), *body, "#endif"]
        elif rule.pool > 1:
            body += self._sums_of_windows([f"input[i] = {self._value('x')};"])
        else:
            body += [
                f"for (i = 0; i < {rule.n_values}; i++) {{",
                f"    input[i] = {self._value('sample[i]')};",
                "}",
            ]
        if rule.n_features > rule.n_values:
            rest = rule.n_features - rule.n_values
            last = "input" if self.by_words else f"input + {rule.n_values}"
            body.append(f"memset({last}, 0, {rest} * sizeof *input); /* padding */")
        return _function(words, f"static void inputs_of(const {self.raw} *sample, {self.type} *input)", body)

    def each(self, add: str, *, in_pairs: bool) -> list[str]:
        """Lines that give every input of `sample` to the function `add` with `sums`, but for zeros.

        Args:
            in_pairs: whether there is a function for two neighbours too.
        """
        rule = self.preprocessing
        if self.by_words:
            each = self._of_two_windows(add, in_pairs) if rule.pool == 2 else self._of_a_window(add)
            return self._windows(
                declared=[f"{self._counter} column, row;", "uint_fast16_t i = 0;"],
                each=each,
                skip=each[-1],
                name="window",
            )
        body = ["uint_fast16_t i;", f"{self.type} value;"]
        given = _unless_zero(f"{add}(sums, i, value);", self.integers)
        if rule.pool > 1:
            return body + self._sums_of_windows([f"value = {self._value('x')};", *given])
        return [
            *body,
            f"for (i = 0; i < {rule.n_values}; i++) {{",
            *inside([f"value = {self._value('sample[i]')};", *given]),
            "}",
        ]

    def _of_two_windows(self, add: str, in_pairs: bool) -> list[str]:
        one_by_one = [
            *_unless_zero(f"{add}(sums, i, a);", True, "a"),
            *_unless_zero(f"{add}(sums, i + 1, b);", True, "b"),
        ]
        both = ["#if FEW_REGISTERS", *one_by_one, "#else", f"{add}_two(sums, i, a, b);", "#endif"]
        means = "const uint8_t a = (uint8_t)(window >> 2), b = (uint8_t)(window >> 18);"
        return [means, *(both if in_pairs else one_by_one), "i += 2;"]

    def _of_a_window(self, add: str) -> list[str]:
        mean = "const uint8_t value = window_of(window);"
        return [mean, *_unless_zero(f"{add}(sums, i, value);", True), "i++;"]

    def state(self) -> list[str]:
        """Members of a sample under way, beside the sums."""
        rule = self.preprocessing
        if rule.pool == 1:
            kind = "uint16_t" if rule.n_values < 1 << 16 else "uint32_t"
            return [f"{kind} next; /**< how many values were pushed */"]
        return [
            "uint16_t row, column; /**< of the next value */",
            f"{self._window} windows[{rule.shape[1] // rule.pool}]; /**< sums of the windows under way */",
        ]

    @property
    def state_bytes(self) -> int:
        """What these members take."""
        rule = self.preprocessing
        if rule.pool == 1:
            return 2 if rule.n_values < 1 << 16 else 4
        return 4 + rule.shape[1] // rule.pool * (2 if self._window == "uint16_t" else 4)

    def pushed(self, add: str) -> list[str]:
        """Lines that take `value`, the next raw value; more than a sample has are ignored."""
        rule = self.preprocessing
        if rule.pool == 1:
            taken = [
                f"const {self.type} input = {self._value('value', 'stream->next')};",
                *_unless_zero(f"{add}(stream->sums, stream->next, input);", self.integers, "input"),
                "stream->next++;",
            ]
            return [f"if (stream->next < {rule.n_values}) {{", *inside(taken), "}"]
        (height, width), pool = rule.shape, rule.pool
        window = [
            f"const uint_fast16_t i = stream->row / {pool} * {width // pool} + stream->column / {pool};",
            *([f"const float x = *window / {pool * pool}.0f;"] if self._floats else []),
            f"const {self.type} input = {self._value('x' if self._floats else '*window')};",
            "*window = 0;",
            *_unless_zero(f"{add}(stream->sums, i, input);", self.integers, "input"),
        ]
        taken = [
            f"{self._window} *window = stream->windows + stream->column / {pool};",
            f"*window = ({self._window})(*window + value);",
            f"if (stream->row % {pool} == {pool - 1} && stream->column % {pool} == {pool - 1}) {{",
            *inside(window),
            "}",
            f"if (++stream->column == {width}) {{",
            "    stream->column = 0;",
            "    stream->row++;",
            "}",
        ]
        return [f"if (stream->row < {height}) {{", *inside(taken), "}"]

    @property
    def _floats(self) -> bool:
        """Whether values are computed with as float32."""
        return not self.bytes_as_they_are

    @property
    def _window(self) -> str:
        """The C type of a window's sum."""
        if self._floats:
            return "float"
        return "uint16_t" if self.preprocessing.pool <= _NARROW else "uint32_t"

    @property
    def _counter(self) -> str:
        """A C type that counts rows and columns."""
        return "uint_fast8_t" if max(self.preprocessing.shape) < 1 << 8 else "uint_fast16_t"

    def _value(self, x: str, i: str = "i") -> str:
        """Input number i of a raw value, or of a window's sum in integers, of its mean in float32."""
        rule = self.preprocessing
        if self.bytes_as_they_are:
            n = rule.pool**2
            return x if n == 1 else f"(uint8_t)(({x} + {n // 2}) / {n})"
        wide = f"((float){x} - {self._constant('offset', i)}) * {self._constant('scale', i)}"
        if self.grid is None:
            return wide
        low, step = (float_number(np.float32(values[0])) for values in (self.grid.low, self.grid.step))
        return f"level_on_grid({wide}, {low}, {step}, 255.0f)"

    def _constant(self, name: str, i: str) -> str:
        """A number of the preprocessing, or its element of a table."""
        value = getattr(self.preprocessing, name)
        if isinstance(value, tuple):
            return f"READ_F32({self.prefix}_{name} + {i})"
        return float_number(np.float32(value))

    def _sums_of_windows(self, each: list[str]) -> list[str]:
        """Window after window: x is its sum in integers, its mean in float32."""
        rule = self.preprocessing
        width, pool = rule.shape[1], rule.pool
        kind = self._window
        mean = [f"x = x / {pool * pool}.0f;"] if self._floats else []
        return [
            f"for (i = 0; i < {rule.n_values}; i++) {{",
            f"    const {self.raw} *corner = sample + (uint32_t)(i / {width // pool}) * {width * pool}"
            f" + i % {width // pool} * {pool};",
            f"    {kind} x = 0;",
            f"    {self._counter} row, column;",
            f"    for (row = 0; row < {pool}; row++, corner += {width}) {{",
            f"        for (column = 0; column < {pool}; column++) {{",
            f"            x = ({kind})(x + corner[column]);",
            "        }",
            "    }",
            *inside([*mean, *each]),
            "}",
        ]

    def _words(self) -> str:
        width = self.preprocessing.shape[1]
        names = ["word", f"windows_{self.preprocessing.pool}"]
        if self.streamed:
            names += ["dark", f"dark_{self.preprocessing.pool}"]
        return "\n".join(map(piece, names)).replace("WIDTH", str(width))

    def _windows(
        self, *, declared: list[str], each: list[str], skip: str | None, name: str = "sums"
    ) -> list[str]:
        """Word after word: `name` has the sums of its windows; a word without light is skipped."""
        rule = self.preprocessing
        width, pool = rule.shape[1], rule.pool
        found = [f"uint32_t {name};"]
        if skip is None:
            found += [f"{name} = windows_at(sample);"]
            inner = [*found, *each]
        else:
            inner = [*found, "if (LIKELY(is_dark(sample))) {", f"    {skip}", "    continue;", "}"]
            inner += [f"{name} = windows_at(sample);", *each]
        return [
            *declared,
            f"for (row = 0; row < {rule.shape[0] // pool}; row++, sample += {width * (pool - 1)}) {{",
            f"    for (column = 0; column < {width // _WORD}; column++, sample += {_WORD}) {{",
            *inside(inside(inner)),
            "    }",
            "}",
        ]


def _unless_zero(call: str, integers: bool, value: str = "value") -> list[str]:
    """The call, left out for symbols that change nothing; in float32 even 0 may change a sum's sign."""
    return [f"if ({value} != 0) {{", f"    {call}", "}"] if integers else [call]


def _function(words: str, signature: str, body: list[str]) -> str:
    return "\n".join([words, signature, "{", *inside(body), "}", ""])
