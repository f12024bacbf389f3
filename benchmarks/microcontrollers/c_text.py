"""Tables as C."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def table(c_type: str, name: str, values: npt.NDArray[np.generic]) -> str:
    """A constant array of whole numbers."""
    lines = _wrapped(str(int(value)) for value in values.ravel().tolist())
    return f"static const {c_type} {name}[{values.size}] = {{\n{lines}\n}};\n"


def _wrapped(words: Iterable[str], width: int = 110) -> str:
    lines, line = [], "   "
    for word in words:
        if len(line) + len(word) + 2 > width:
            lines.append(line)
            line = "   "
        line += f" {word},"
    return "\n".join([*lines, line])
