"""C that adds up one row of a junction: `sum += w · x` over the edges of an output, by index encoding.

Every text reads the row's weights at `w` and moves it to the next row, likewise `index`, where there is one.
In integers the order of a sum does not matter, so processors with SMLAD or MVE add in another one; in float32
it is the order of the table, everywhere.
"""

from __future__ import annotations

from offramp.export.c.encodings import FARTHER, Encoding
from offramp.export.c.text import indented, read

_UNROLLED = 4  # edges in a loop's body
_FAST = 4  # contiguous inputs that `mac4` takes


def row(encoding: Encoding, *, integers: bool) -> list[str]:
    """The lines for one row."""
    if encoding.kind == "dense":
        return _dense(encoding, integers=integers)
    if encoding.kind == "affine":
        return _affine(encoding, integers=integers)
    if encoding.kind == "delta":
        return _delta(encoding, integers=integers)
    return _indexed(encoding, integers=integers)


def _dense(encoding: Encoding, *, integers: bool) -> list[str]:
    n = encoding.per_row
    if integers:
        return [f"sum = mac(sum, x, w, {n});", f"w += {n};"]
    return [
        f"for (k = 0; k < {n}; k++) {{",
        f"    {_edge(encoding, 'x[k]')}",
        "    w++;",
        "}",
    ]


def _indexed(encoding: Encoding, *, integers: bool) -> list[str]:
    r, n = encoding.block[0], encoding.per_row
    assert encoding.index is not None
    one = read(encoding.index, "index")
    if r == 1:
        scalar = _loop(n, [*_product(encoding, f"x[{one}]"), "index++;"])
    else:
        scalar = _loop(n, [f"p = x + (uint32_t){one} * {r};", "index++;", *_block(encoding, integers)])
    if not integers or r != 1:
        return scalar
    wide = "sum = gather8" if encoding.kind == "u8" else "sum = gather16"
    return [
        "#if DO_MVE",
        f"{wide}(sum, x, w, index, {n});",
        f"w += {n};",
        f"index += {n};",
        "#else",
        *scalar,
        "#endif",
    ]


def _delta(encoding: Encoding, *, integers: bool) -> list[str]:
    r = encoding.block[0]
    assert encoding.index is not None
    step = [f"step = {read(encoding.index, 'index')};", "index++;"]
    if (encoding.index == FARTHER).any():
        step += [
            f"while (step == {FARTHER}) {{",
            f"    p += {FARTHER * r};",
            *indented(step).splitlines(),
            "}",
        ]
    step.append(f"p += step * {r}u;" if r > 1 else "p += step;")
    inner = _product(encoding, "*p") if r == 1 else _block(encoding, integers)
    return ["p = x;", *_loop(encoding.per_row, [*step, *inner])]


def _affine(encoding: Encoding, *, integers: bool) -> list[str]:
    assert encoding.affine is not None
    (r, _), n_blocks = encoding.block, "N_BLOCKS"
    move = [f"at += {encoding.affine.multiplier};", f"at -= at >= {n_blocks} ? {n_blocks} : 0;"]
    if r == 1:
        return _loop(encoding.per_row, [*_product(encoding, "x[at]"), *move])
    return _loop(encoding.per_row, [f"p = x + at * {r};", *_block(encoding, integers), *move])


def _block(encoding: Encoding, integers: bool) -> list[str]:
    """The r contiguous inputs from p on."""
    r = encoding.block[0]
    if integers and r % _FAST == 0:
        if r == _FAST:
            return ["sum = mac4(sum, p, w);", "w += 4;"]
        return [f"sum = mac(sum, p, w, {r});", f"w += {r};"]
    if r <= 2 * _FAST:
        return [line for i in range(r) for line in _product(encoding, f"p[{i}]")]
    return [f"for (i = 0; i < {r}; i++) {{", *indented(_product(encoding, "p[i]")).splitlines(), "}"]


def _product(encoding: Encoding, x: str) -> list[str]:
    return [_edge(encoding, x), "w++;"]


def _edge(encoding: Encoding, x: str) -> str:
    return f"sum += {read(encoding.weights, 'w')} * {x};"


def _loop(n: int, body: list[str]) -> list[str]:
    """The body n times, several times in each round of a loop."""
    rounds, left = divmod(n, _UNROLLED)
    if rounds <= 1:
        return [line for _ in range(n) for line in body]
    lines = [f"for (k = 0; k < {rounds}; k++) {{"]
    lines += [f"    {line}" for _ in range(_UNROLLED) for line in body]
    lines += ["}"]
    return lines + [line for _ in range(left) for line in body]
