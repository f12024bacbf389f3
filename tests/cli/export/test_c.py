import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_compilers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is our own count, which is quick."""
    monkeypatch.setenv("PATH", "")


def test_a_folder_has_the_code_an_example_and_the_report(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    outcome = cli("export", "c", bundle, "-o", out, "--float32", "--target", "cortex-m0")
    assert (outcome.status, outcome.err) == (0, "")
    names = {path.name for path in out.iterdir()}
    assert names >= {"CMakeLists.txt", "main.c", "report.json"}
    assert {Path(name).suffix for name in names} == {".c", ".h", ".txt", ".json"}
    report = json.loads((out / "report.json").read_text())
    assert (report["target"], report["numbers"]) == ("cortex-m0", "float32")
    assert report["measured_by"].startswith("own count: arm-none-eabi-gcc is not installed")
    assert f"{out}: " in outcome.out.splitlines()[-1]


def test_a_bundle_that_is_not_quantised_is_for_this_export(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    out, before = tmp_path / "firmware", (bundle / "manifest.json").read_bytes()
    outcome = cli("export", "c", bundle, "-o", out)
    assert outcome.status == 0
    assert "for this export only: offramp quantise" in outcome.err
    assert json.loads((out / "report.json").read_text())["numbers"] == "int8"
    assert (bundle / "manifest.json").read_bytes() == before


def test_json_is_the_report(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    outcome = cli("export", "c", bundle, "-o", out, "--float32", "--json")
    assert json.loads(outcome.out) == json.loads((out / "report.json").read_text()) | {"folder": str(out)}


def test_a_chip_without_room_gets_no_files(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    error = cli("export", "c", bundle, "-o", out, "--float32", "--flash", "1K").error
    assert "too many for the 1,024 of the chip" in error
    assert not out.exists()


def test_an_unknown_target_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    error = cli("export", "c", bundle, "-o", tmp_path / "x", "--float32", "--target", "z80").error
    assert error.startswith("unknown target 'z80'; give one of ")
