"""A codec's parameters as JSON values, which may come from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offramp.errors import ConfigError

MAX_INTEGER = 2**31 - 1


def check_parameters(codec: str, parameters: Mapping[str, Any], wanted: tuple[str, ...]) -> None:
    """Raise ConfigError unless exactly the wanted parameters are there."""
    if missing := [name for name in wanted if name not in parameters]:
        raise ConfigError(f"codec {codec} without parameter {missing[0]!r}; give {', '.join(wanted)}")
    if strangers := sorted(set(parameters) - set(wanted)):
        takes = f"takes {', '.join(wanted)}" if wanted else "has no parameters"
        raise ConfigError(f"codec {codec} {takes}; leave out {', '.join(strangers)}")


def numbers(name: str, value: object) -> tuple[float, ...]:
    """A list of numbers, finite or not.

    Raises:
        ConfigError: something else.
    """
    items = _list(name, value)
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | float):
            raise ConfigError(f"{name} holds {_shown(item)}; use numbers")
    try:
        return tuple(float(item) for item in items)
    except OverflowError as error:
        raise ConfigError(f"{name} holds a whole number beyond any float; use finite numbers") from error


def rows_of_integers(name: str, value: object) -> tuple[tuple[int, ...], ...]:
    """A list of lists of whole numbers, 0 to MAX_INTEGER.

    Raises:
        ConfigError: something else.
    """
    rows = [_list(name, row) for row in _list(name, value)]
    for row in rows:
        for item in row:
            if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item <= MAX_INTEGER:
                raise ConfigError(f"{name} hold {_shown(item)}; use whole numbers from 0 to {MAX_INTEGER}")
    return tuple(map(tuple, rows))


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{name} is {_shown(value)}; give a list")
    return list(value)


def _shown(value: object) -> str:
    """Short, whatever it is: Python refuses to write out whole numbers of thousands of digits."""
    if not isinstance(value, str | float | None) and (not isinstance(value, int) or abs(value) > MAX_INTEGER):
        return f"of type {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
