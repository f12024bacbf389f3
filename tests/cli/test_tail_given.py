from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.bundle import read
from offramp.cli.tail_given import given_tail
from offramp.errors import ConfigError

Cli = Callable[..., Any]
TAILS = """
import numpy as np

def ramp(features):
    return features[:, :1] + np.arange(10, dtype=np.float32)

def narrow(features):
    return features[:, :2]

def broken(features):
    raise ValueError("no such day")

number = 7
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with modules of somebody's own."""
    (tmp_path / "own_tails.py").write_text(TAILS)
    (tmp_path / "own_failure.py").write_text("raise RuntimeError('not today')\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here")
def test_a_callable_of_a_module_in_the_current_folder_is_a_tail(bundle: Path) -> None:
    tail = given_tail("own_tails:ramp", read(bundle), threads=1)
    np.testing.assert_array_equal(tail(np.ones((2, 16), np.float32)), [np.arange(1, 11)] * 2)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("own_tails", "tail 'own_tails'; give FILE.onnx, or package.module:callable"),
        (":ramp", "tail ':ramp'; give FILE.onnx, or package.module:callable"),
        ("no_such:ramp", "cannot be imported: ModuleNotFoundError: No module named 'no_such'"),
        ("own_tails:rump", "cannot be imported: AttributeError: module 'own_tails' has no attribute 'rump'"),
        ("own_failure:ramp", "cannot be imported: RuntimeError: not today"),
        ("own_tails:number", "tail 'own_tails:number' is int, which cannot be called; name a callable"),
        ("own_tails:broken", "fails on float32 features (1, 16): ValueError: no such day"),
        (
            "own_tails:narrow",
            "tail 'own_tails:narrow' gives (1, 2) for features (1, 16); scores are (1, 10)",
        ),
        ("nowhere.onnx", "nowhere.onnx: no such file; give a model of ONNX"),
    ],
)
def test_what_is_no_tail_is_told(bundle: Path, given: str, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        given_tail(given, read(bundle), threads=1)
    assert str(told.value).endswith(message)


def test_a_tail_that_cannot_be_served_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    outcome = cli("serve", bundle, "--tail", tmp_path / "noise.onnx")
    assert outcome.error.startswith(f"{tmp_path}/noise.onnx: onnxruntime cannot run it (")
    assert outcome.error.endswith("); export the tail anew")
