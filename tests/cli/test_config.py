"""offramp train --config: options from a file."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import read
from offramp.cli.config import config_text

Cli = Callable[..., Any]

TOML = 'neurons = [64, 16, "auto"]\nout-degrees = "4,full"\nepochs = 2\nseed = 3\njson = true\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "net.toml"
    path.write_text(TOML)
    return path


def test_options_come_from_the_file(cli: Cli, config: Path, tmp_path: Path) -> None:
    outcome = cli("train", "--config", config, "-o", tmp_path / "m")
    assert outcome.status == 0, outcome.err
    assert json.loads(outcome.out)["bundle"] == str(tmp_path / "m")
    bundle = read(tmp_path / "m")
    assert bundle.parts["head"].n_parameters == 64 * 4 + 16
    assert (bundle.training["seed"], bundle.training["recipe"]["epochs"]) == (3, 2)
    command = ("--neurons", "64,16,auto", "--out-degrees", "4,full", "--epochs", 2, "--seed", 3)
    assert cli("train", *command, "-o", tmp_path / "same").status == 0
    same = read(tmp_path / "same")
    assert [part.digest for part in same.parts.values()] == [part.digest for part in bundle.parts.values()]


def test_the_command_line_wins_wherever_it_stands(cli: Cli, config: Path, tmp_path: Path) -> None:
    assert cli("train", "--seed", 4, "--config", config, "--epochs", 1, "-o", tmp_path / "m").status == 0
    training = read(tmp_path / "m").training
    assert (training["seed"], training["recipe"]["epochs"]) == (4, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "width = 3",
            "net.toml: unknown key 'width'; use batch-size, block, bottleneck, bottleneck-out-deg",
        ),
        ("out_degrees = 3", "net.toml: unknown key 'out_degrees'; use "),
        ('config = "x"', "net.toml: unknown key 'config'; use "),
        ("pool = true", "net.toml: pool = True is not usable; give a number, a text or a list"),
        ("json = 1", "net.toml: json = 1 is not usable; give true or false"),
        ("[pool]\na = 1", "net.toml: pool = {'a': 1} is not usable; give a number, a text or a list"),
        ("epochs = 2.5", "Invalid value for '--epochs': "),
        ("epochs = 0", "Invalid value for '--epochs': "),
        ('neurons = "8,x"', "'x' is no whole number above 0"),
        ("pool 2", "net.toml: no TOML file: "),
    ],
    ids=lambda text: text.partition("\n")[0][:20],
)
def test_what_is_no_option_is_refused_by_name(cli: Cli, config: Path, text: str, words: str) -> None:
    config.write_text(text)
    assert words in cli("train", "--config", config, "-o", "unused").error


def test_a_file_that_is_not_there_is_named(cli: Cli) -> None:
    assert (
        cli("train", "--config", "absent.toml", "-o", "m").error
        == "absent.toml: no such file; give a TOML file of options, as offramp search writes"
    )


@given(
    st.dictionaries(
        st.from_regex(r"[a-z-]+", fullmatch=True),
        st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False),
    )
)
def test_a_written_file_reads_back(values: dict[str, Any]) -> None:
    encodable = {k: v for k, v in values.items() if not (isinstance(v, str) and _has_surrogate(v))}
    assert tomllib.loads(config_text(encodable, comment="two\nlines")) == encodable


def _has_surrogate(text: str) -> bool:
    return any(0xD800 <= ord(sign) <= 0xDFFF for sign in text)
