import csv
from itertools import pairwise
from pathlib import Path

from offramp.report import Result, findings, markdown_page, markdown_table, write_markdown

SECTIONS = (
    "What wins, and what loses",
    "The networks",
    "The four modes",
    "How the dense network was chosen",
    "How it was measured",
)


def test_the_page_has_its_command_its_findings_and_all_tables(result: Result) -> None:
    page = markdown_page(result, "system.csv")
    assert "Written by `offramp demo`; every number is measured by it." in page
    assert [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")] == [*SECTIONS]
    assert all(f"- {one}\n" in page for one in findings(result))
    assert page.count("| split+exit | 97.50 | 87.0 | 44.5 |") == 3
    assert page.count("91.00 ± 1.00 | 98.00 ± 1.00 | 97.00 ± 1.00 | 87.0 ± 2.0 | 62.2 ± 9.6 |") == 3
    assert "| dense, chosen | 64,24,10 | 1,560 | 95.50 ± 1.00 |" in page
    assert "[system.csv](system.csv)" in page


def test_every_table_is_as_wide_as_its_head(result: Result) -> None:
    lines = markdown_page(result, "system.csv").splitlines()
    for line, following in pairwise(lines):
        if line.startswith("|") and following.startswith("|"):
            assert line.count("|") == following.count("|")


def test_the_csv_has_a_line_for_each_network_and_mode(result: Result, tmp_path: Path) -> None:
    written = write_markdown(result, tmp_path / "system.md")
    assert written == [tmp_path / "system.md", tmp_path / "system.csv"]
    lines = list(csv.DictReader((tmp_path / "system.csv").read_text(encoding="utf-8").splitlines()))
    assert len(lines) == 12
    last = lines[-1]
    assert (last["mode"], last["wire_bytes_per_sample"], last["neurons"]) == (
        "split+exit",
        "44.5",
        "64 40 10",
    )
    assert (last["network_system_accuracy"], last["network_system_accuracy_margin"]) == ("0.97", "0.01")
    assert (last["network_training_s"], last["network_training_s_margin"]) == ("1.25", "")
    assert last["network_peak_training_bytes"] == "1230000"


def test_a_markdown_table_is_a_head_a_rule_and_rows() -> None:
    assert markdown_table(["a", "b"], [["1", "2"]]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
