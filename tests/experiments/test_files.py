"""Figures, the page and the Markdown file."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from offramp.errors import MissingDependencyError
from offramp.experiments import Evidence, html_page, write_files, write_markdown
from offramp.experiments.figures import figures
from offramp.experiments.words import findings, savings_table


@pytest.fixture(scope="module")
def page(evidence: Evidence) -> str:
    return html_page(evidence)


def test_there_are_three_figures_and_each_is_svg(evidence: Evidence) -> None:
    drawn = figures(evidence)
    assert list(drawn) == ["figure3", "figure4", "figure5"]
    for text in drawn.values():
        assert ET.fromstring(text).tag.endswith("svg")


def test_figures_without_rows_are_left_out_and_the_same_rows_give_the_same_bytes(evidence: Evidence) -> None:
    rows = tuple(one for one in evidence.rows if one.row.is_sparse and one.row.table == 2)
    drawn = figures(replace(evidence, rows=rows))
    assert list(drawn) == ["figure5"]
    assert figures(replace(evidence, rows=rows)) == drawn


def test_the_page_loads_nothing(page: str) -> None:
    assert "://" not in page
    assert not re.search(r"<script|<link|@import|url\(", page)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 3
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)


def test_the_page_has_every_row_and_the_swapped_counts(page: str) -> None:
    assert page.count("<td>deep</td>") == page.count("<td>sparse</td>") == 10
    assert "printed 2,443, edges and biases 2,455" in page


def test_files_hold_what_the_evidence_says(evidence: Evidence, tmp_path: Path) -> None:
    assert [path.name for path in write_files(evidence, tmp_path)] == [
        "results.json",
        "results.csv",
        "report.html",
    ]
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["row"] for row in results["rows"]] == list(range(1, 31))
    assert results["rows"][2]["mean_percent"] == pytest.approx(evidence.rows[2].accuracy.mean)
    assert results["misprints"][0] == {"row": 1, "printed": 2443, "computed": 2455}
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 151


def test_the_markdown_page_shows_its_figures_and_its_command(evidence: Evidence, tmp_path: Path) -> None:
    written = write_markdown(evidence, tmp_path / "paper.md")
    assert all(path.is_file() for path in written)
    text = (tmp_path / "paper.md").read_text()
    linked = re.findall(r"\]\(([^)]*)\)", text)
    assert sorted(set(linked)) == sorted(path.name for path in written[1:])
    assert "`offramp reproduce`" in text
    assert "seeds 0, 1, 2, 3, 4" in text
    assert str(tmp_path) not in text
    rows = [line for line in text.splitlines() if re.match(r"\| \d+ \| I+ \|", line)]
    assert len(rows) == 30
    assert {line.count("|") for line in rows} == {12}


def test_findings_count_the_rows_that_hold(evidence: Evidence) -> None:
    holds = sum(one.verdict == "holds" for one in evidence.rows if one.row.is_sparse)
    assert findings(evidence)[0].startswith(f"Sparse rows: {holds} of 10 within 0.3 points of the paper")


def test_networks_of_both_tables_are_named_with_the_paper_s_two_figures(evidence: Evidence) -> None:
    found = next(words for words in findings(evidence) if words.startswith("Both tables"))
    assert "rows 10 and 22 (95.35 and 95.43), rows 11 and 23 (95.44 and 94.88)" in found
    assert "rows 12 and 24 (96.54 and 96.72): " in found


def test_a_saving_names_the_smallest_dense_row_that_is_as_good(evidence: Evidence) -> None:
    _, *rows = savings_table(evidence)
    first = rows[0]
    assert first[:2] == ["3", "2,450"]
    # By the paper's figures: 93.93 takes the shallow network of 8,120 parameters, 94.00.
    assert first[5:] == ["93.93", "20, 8,120 parameters: 94.00", "3.3"]
    assert rows[-1][5:] == ["97.75", "none of the tables", ""]
    for one in evidence.savings():
        if one.ours is not None:
            assert one.ours.accuracy.mean >= one.sparse.accuracy.mean


def test_without_matplotlib_the_page_says_what_to_install(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"matplotlib.*pip install 'offramp\[report\]'"):
        html_page(evidence)
