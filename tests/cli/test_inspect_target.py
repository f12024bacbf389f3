import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offramp.cli.options import n_bytes

Cli = Callable[..., Any]


def test_the_table_says_what_takes_how_much(cli: Cli, bundle: Path) -> None:
    outcome = cli("inspect", bundle, "--target", "cortex-m4", "--float32", "--own-count")
    assert (outcome.status, outcome.err) == (0, "")
    first_words = [line.split()[:2] for line in outcome.out.splitlines() if line.strip()]
    assert ["flash", "code"] in first_words
    assert ["RAM", "sample"] in first_words or ["RAM", "sample under way"] in first_words
    assert ["head", "1"] in first_words
    assert ["exit", "1"] in first_words
    assert "measured by    own count: as asked for" in outcome.out
    assert "target         cortex-m4, float32" in outcome.out


def test_json_has_the_same_numbers(cli: Cli, bundle: Path) -> None:
    outcome = cli("inspect", bundle, "--target", "cortex-m4", "--float32", "--own-count", "--json")
    content = json.loads(outcome.out)
    assert content["flash_bytes"] == sum(content["flash"].values())
    assert content["unit"] == "instructions"
    assert [one["name"] for one in content["junctions"]] == ["head 1", "exit 1"]


def test_an_unknown_target_is_one_line_with_the_others(cli: Cli, bundle: Path) -> None:
    error = cli("inspect", bundle, "--target", "z80", "--float32").error
    assert error.startswith("unknown target 'z80'; give one of atmega328p, cortex-m0, ")


def test_a_chip_that_is_too_small_is_one_line_with_the_bytes(cli: Cli, bundle: Path) -> None:
    outcome = cli(
        "inspect", bundle, "--target", "cortex-m4", "--float32", "--own-count", "--flash", "1K", "--ram", "16"
    )
    assert "bytes of flash are" in outcome.error
    assert "too many for the 1,024 and" in outcome.error
    assert "too many for the 16 of the chip; make the program smaller or take a larger chip" in outcome.error
    assert "measured by" in outcome.out


def test_integers_want_a_quantised_bundle(cli: Cli, bundle: Path) -> None:
    error = cli("inspect", bundle, "--target", "cortex-m4").error
    assert "is not quantised; run: offramp quantise" in error


def test_a_toolchain_that_is_not_there_is_told_where_it_was_asked_for(
    cli: Cli, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    command = ("inspect", bundle, "--target", "cortex-m4", "--float32")
    assert "arm-none-eabi-gcc is not installed; apt install gcc-arm-none-eabi" in cli(*command).out
    error = cli(*command, "--toolchain").error
    assert error.startswith("arm-none-eabi-gcc is not installed; apt install gcc-arm-none-eabi")


@pytest.mark.parametrize(
    ("text", "expected"), [("16384", 16384), ("16K", 16384), ("1m", 2**20), (" 2k ", 2048)], ids=str
)
def test_bytes_are_read_in_kilos_and_megas(text: str, expected: int) -> None:
    assert n_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "K", "1.5K", "-1", "1G"])
def test_no_number_of_bytes_is_refused(cli: Cli, bundle: Path, text: str) -> None:
    outcome = cli("inspect", bundle, "--target", "cortex-m4", f"--flash={text}")
    assert outcome.status == 2
    assert "write 16384, 16K or 1M" in outcome.err
