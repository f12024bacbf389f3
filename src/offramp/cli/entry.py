"""What runs when somebody types `offramp`: the commands, and what becomes of their errors."""

import errno
import io
import os
import re
import sys
from collections.abc import Sequence

import typer

from offramp.cli.app import app
from offramp.errors import OfframpError
from offramp.report import printable

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
EXTRAS = {  # optional package -> the extra of offramp that brings it
    "torch": "train",
    "scipy": "train",
    "sklearn": "data",
    "pooch": "data",
    "pyarrow": "data",
    "matplotlib": "report",
    "jinja2": "report",
    "optuna": "search",
}

OPTIONS = {  # advice to callers -> to people
    "give label=": "give --label,",
    "overwrite=True": "--overwrite",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in ("max_bytes_in_flight", "max_params", "max_bytes", "max_macs", "min_accuracy")
    },
}
WRITING = (errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EDQUOT)  # named no file: it was standard output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give its exit status: 0, 1 (failed), 2 (used wrongly) or 130 (interrupted).

    An error becomes one line on standard error. With --debug, anywhere among the arguments, it is raised.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # better than no answer
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        status = app(arguments, prog_name="offramp", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as stop:
        if isinstance(stop, SystemExit) and not isinstance(stop.__context__, BrokenPipeError):
            raise  # Typer makes SystemExit(1) of a broken pipe, and of nothing else here
        _close_stdout()  # the reader has seen enough, as in `offramp run ... | head`
        return 0
    except (KeyboardInterrupt, typer.Abort):  # Abort: what some versions of Typer make of Ctrl-C
        return INTERRUPTED
    except Exception as error:  # the last frame: nobody above could handle it
        if debug:
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)  # noqa: T201
        try:
            sys.stdout.flush()
        except OSError:  # said above
            _close_stdout()
        return getattr(error, "exit_code", 1)
    return status if isinstance(status, int) else 0


def one_line(error: BaseException) -> str:
    """What went wrong and what to do, without a line break."""
    return printable(" ".join(_message(error).split()))


def _message(error: BaseException) -> str:
    if isinstance(error, OfframpError):
        return re.sub("|".join(OPTIONS), lambda found: OPTIONS[found[0]], str(error))
    if isinstance(error, ModuleNotFoundError) and (name := (error.name or "").partition(".")[0]) in EXTRAS:
        return (
            f"this command needs {name}, which is not installed; run: pip install 'offramp[{EXTRAS[name]}]'"
        )
    if hasattr(error, "format_message"):  # wrong usage, in Typer's words
        command = getattr(getattr(error, "ctx", None), "command_path", "offramp")
        return f"{error.format_message().rstrip('.')}; see {command} --help"
    if isinstance(error, OSError) and error.strerror is not None:
        place = "standard output" if error.errno in WRITING else "system"
        return f"{place if error.filename is None else error.filename}: {error.strerror}"
    return f"{type(error).__name__}: {error}; this is a bug in offramp, --debug shows where"


def _close_stdout() -> None:
    """Let the interpreter flush what is left into nothing, since it could only fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
