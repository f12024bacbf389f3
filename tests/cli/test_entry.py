import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

import offramp as package
from offramp.cli.entry import main, one_line
from offramp.errors import BundleError, DataError

Cli = Callable[..., Any]


def test_the_version_is_that_of_the_package(cli: Cli) -> None:
    assert cli("--version") == (0, f"offramp {package.__version__}\n", "")


@pytest.mark.parametrize("command", ["demo", "train", "inspect", "serve", "run"])
def test_help_teaches_with_examples(cli: Cli, command: str) -> None:
    status, out, err = cli(command, "--help")
    assert (status, err) == (0, "")
    assert "Examples" in out
    assert f"offramp {command} " in out


def test_without_a_command_the_help_is_shown(cli: Cli) -> None:
    assert "Begin with" in cli("--help").out
    assert "Begin with" in cli().out


def test_an_unknown_command_is_one_line_with_the_nearest_one(cli: Cli) -> None:
    outcome = cli("trian")
    assert outcome.status == 2
    assert outcome.error == "No such command 'trian'. Did you mean 'train'?; see offramp --help"


def test_an_unknown_option_is_one_line(cli: Cli) -> None:
    outcome = cli("inspect", "--jason")
    assert outcome.status == 2
    assert outcome.error == "No such option: --jason (Possible options: --json); see offramp inspect --help"


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after the command"])
def test_debug_raises_the_error_itself(tmp_path: Path, before: bool) -> None:
    command = ["inspect", str(tmp_path / "absent")]
    with pytest.raises(package.errors.BundleError, match="absent"):
        main(["--debug", *command] if before else [*command, "--debug"])


def test_debug_prints_a_traceback(offramp: Cli, tmp_path: Path) -> None:
    outcome = offramp("inspect", tmp_path / "absent", "--debug")
    assert outcome.status == 1
    assert "Traceback" in outcome.err


def test_an_error_of_several_lines_becomes_one() -> None:
    assert one_line(DataError("first\n  second")) == "first second"


def test_an_error_of_the_system_names_the_file() -> None:
    assert one_line(PermissionError(13, "Permission denied", "there")) == "there: Permission denied"


def test_an_error_of_the_system_without_a_file_is_no_bug() -> None:
    assert one_line(OSError(28, "No space left on device")) == "standard output: No space left on device"
    assert one_line(OSError(24, "Too many open files")) == "system: Too many open files"


def test_a_full_disk_behind_standard_output_is_one_line(bundle: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        for command in ("inspect", "run --mode local --data digits --limit 1"):
            name, *options = command.split()
            done = subprocess.run(
                [sys.executable, "-m", "offramp", name, bundle, *options],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert done.returncode == 1
            assert done.stderr.splitlines()[-1] == "error: standard output: No space left on device"


def test_a_terminal_without_unicode_gets_escapes(bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "offramp", "inspect", bundle],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"64 \u2192 16" in done.stdout


def test_an_error_tells_the_terminal_nothing() -> None:
    assert one_line(DataError("class '\x1b[2J\x07'")) == r"class '\u001b[2J\u0007'"


def test_advice_for_callers_reads_as_options() -> None:
    error = BundleError("x: exists already; give another path, or overwrite=True to replace a bundle")
    assert one_line(error) == "x: exists already; give another path, or --overwrite to replace a bundle"


def test_an_unforeseen_error_is_called_a_bug() -> None:
    assert one_line(ZeroDivisionError("by zero")) == (
        "ZeroDivisionError: by zero; this is a bug in offramp, --debug shows where"
    )


@pytest.mark.parametrize("command", ["train -o model", "demo"])
def test_without_torch_one_line_says_what_to_install(python: Cli, command: str, tmp_path: Path) -> None:
    hide = "import sys; sys.modules['torch'] = None\n"
    done = python(f"{hide}from offramp.cli import main\nsys.exit(main({command.split()}))")
    assert done.status == 1
    assert done.error == "this command needs torch, which is not installed; run: pip install 'offramp[train]'"


def test_inspect_and_run_never_import_torch(python: Cli, bundle: Path) -> None:
    commands = [["inspect", str(bundle)], ["run", str(bundle), "--mode", "local", "--data", "digits"]]
    for command in commands:
        code = f"import sys\nfrom offramp.cli import main\nassert main({command}) == 0\n"
        done = python(code + "assert 'torch' not in sys.modules")
        assert done.status == 0, done.err


def test_interrupted_a_command_exits_with_130_and_no_word(started: Cli, bundle: Path) -> None:
    with started("run", bundle, "--mode", "local") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{[[0] * 8] * 8}\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr is not None
        assert process.stderr.read().startswith("1 answered, ")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, typer.Abort])
def test_either_form_of_an_interrupt_is_one_exit_status(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise kind

    monkeypatch.setattr("offramp.cli.entry.app", interrupted)
    assert cli("demo") == (130, "", "")


def test_a_reader_that_goes_away_is_no_error(started: Cli, bundle: Path) -> None:
    with started("run", bundle, "--mode", "local", "--data", "digits", "--split", "all") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read().count("\n") == 1  # the summary
