"""Writes docs/cli.md from the --help of every command."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
PLAIN = {"COLUMNS": "96", "TERMINAL_WIDTH": "96", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
DECORATION = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TYPER_USE_RICH")
HEADER = """\
# The command line

What `offramp --help` and `offramp COMMAND --help` print. Written by `make docs`; a test checks that it is
current.

A command that fails prints one line, `error: ...`, to standard error and exits with 1, or with 2 where it was
used wrongly; interrupted, it exits with 130. `--debug`, before or after the command, shows the traceback.
"""


def page() -> str:
    """The whole page, from a process whose terminal is plain; Typer looks at that when it is imported."""
    environment = {name: value for name, value in os.environ.items() if name not in DECORATION} | PLAIN
    arguments = [sys.executable, __file__, "--print"]
    return subprocess.run(
        arguments, env=environment, capture_output=True, check=True, encoding="utf-8"
    ).stdout


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command, groups before what is in them; none for `offramp` itself."""
    import typer

    from offramp.cli import app

    def below(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for name, one in getattr(command, "commands", {}).items():
            yield from below(one, (*words, name))

    return below(typer.main.get_command(app), ())


def section(words: tuple[str, ...]) -> str:
    """Title and help of one command."""
    from offramp.cli import main

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = main([*words, "--help"])
    assert status == 0, words
    text = "\n".join(line.rstrip() for line in printed.getvalue().splitlines()).strip("\n")
    return f"## {' '.join(('offramp', *words))}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write("\n".join([HEADER, *map(section, commands())]))
    else:
        PAGE.write_text(page(), encoding="utf-8")
        print(f"written: {PAGE.name}")
