"""Options of a command from a TOML file: `--config FILE`, and the writing of such files."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from offramp.errors import ConfigError

_NOT_IN_FILES = ("config", "help", "debug")


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the file's values the command's defaults: what is on the command line wins.

    Keys are the long names of the command's options; lists stand for texts with commas.

    Raises:
        ConfigError: no readable TOML, an unknown key, a value that is none of an option.
    """
    if path is None:
        return None
    names = {
        option.removeprefix("--"): parameter
        for parameter in context.command.params
        for option in parameter.opts
        if option.startswith("--") and option.removeprefix("--") not in _NOT_IN_FILES
    }
    defaults = {}
    for key, value in _read(path).items():
        if key not in names:
            raise ConfigError(f"{path}: unknown key {key!r}; use {', '.join(sorted(names))}")
        is_flag = getattr(names[key], "is_flag", False)
        defaults[str(names[key].name)] = _value(value, f"{path}: {key}", is_flag=is_flag)
    context.default_map = defaults
    return path


Config = Annotated[
    Path | None,
    typer.Option(
        callback=read_config,
        is_eager=True,  # before the options whose defaults it sets
        help="TOML file with options, as offramp search writes: neurons = [800, 40, 10], pool = 2 ..."
        " Options on the command line win.",
        show_default=False,
    ),
]


def config_text(values: Mapping[str, str | int | float], *, comment: str) -> str:
    """A TOML file: the comment, then a line for each value."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += [f"{key} = {_spelled(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file; give a TOML file of options, as offramp search writes"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no TOML file: {error}; write lines as in pool = 2") from error


def _value(value: object, place: str, *, is_flag: bool) -> str | bool:
    """The value as it would stand on the command line, for the option's own checks; a flag's as it is."""
    if isinstance(value, list):
        return ",".join(str(_value(item, place, is_flag=False)) for item in value)
    if is_flag and isinstance(value, bool):
        return value
    if is_flag or isinstance(value, bool) or not isinstance(value, str | int | float):
        expected = "true or false" if is_flag else "a number, a text or a list"
        raise ConfigError(f"{place} = {value!r} is not usable; give {expected}")
    return str(value)


def _spelled(value: str | int | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = "".join(
        {'"': '\\"', "\\": "\\\\"}.get(sign, sign if sign.isprintable() else f"\\U{ord(sign):08X}")
        for sign in text
    )
    return f'"{escaped}"'
