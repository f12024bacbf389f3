"""Writes docs/cli.md from the --help of every command."""

import os
import subprocess
import sys
from pathlib import Path

COMMANDS = (
    *("", "demo", "train", "calibrate", "evaluate", "inspect", "serve", "run", "link"),
    *("reproduce", "certify", "compare", "search", "search-evidence", "payload"),
    *("export", "export onnx", "export repository"),
)
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
    """The whole page."""
    return "\n".join([HEADER, *map(section, COMMANDS)])


def section(command: str) -> str:
    """Title and help of one command; "" is `offramp` itself."""
    title = f"offramp {command}".strip()
    environment = {name: value for name, value in os.environ.items() if name not in DECORATION} | PLAIN
    arguments = [sys.executable, "-m", *title.split(), "--help"]
    result = subprocess.run(arguments, env=environment, capture_output=True, check=True, encoding="utf-8")
    text = "\n".join(line.rstrip() for line in result.stdout.splitlines()).strip("\n")
    return f"## {title}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.name}")
