"""What found networks say beside the dense rows, in numbers, words and files."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from offramp.errors import DataError
from offramp.experiments import recipe_named, select_rows, spread
from offramp.experiments.searched import (
    Beside,
    Find,
    FoundRun,
    Network,
    SearchTold,
    findings,
    gather_found,
    network_table,
    read_reproduced,
    row_table,
    told,
    write_found,
    write_found_page,
)

SMALL = Find(Network((200, 16, 10), (2, 10), (2, 4), 2, 0.5, 4.0), 0.9)
LARGE = Find(Network((200, 30, 10), (30, 10), (4, 4), 1), 0.97)
ROWS = select_rows("1,2,25,28")  # 76.58, 80.89, 96.79, 97.35


def _runs(find: Find, accuracies: Sequence[float]) -> list[FoundRun]:
    network = find.network
    return [
        FoundRun(
            neurons=network.neurons,
            out_degrees=network.out_degrees,
            recipe={"name": "cosine"},
            pattern=network.pattern_name,
            block=network.block_name,
            seed=seed,
            data_digest="0",
            parameters=network.parameters,
            accuracy_percent=accuracy,
            train_s=2.0,
            fused=True,
            pooling=network.pooling,
            distill_weight=network.distill_weight,
            temperature=network.temperature,
        )
        for seed, accuracy in enumerate(accuracies)
    ]


def _beside(small: Sequence[float], large: Sequence[float], *, known: bool = True) -> Beside:
    """Rows 1 and 2 with one network, row 25 with another, row 28 with none."""
    runs = [*_runs(LARGE, large)[::-1], *_runs(SMALL, small)]
    reproduced = {(1, ROWS[0].neurons): spread([80.0, 81.0]), (2, ROWS[2].neurons): spread([96.0, 97.0])}
    return Beside(
        rows=gather_found(ROWS, {1: SMALL, 2: SMALL, 25: LARGE}, runs, reproduced if known else {}),
        searches=(SearchTold("offramp search --data mnist --max-params 620", 90, 9, 40.0),),
        recipe=recipe_named("cosine"),
        seeds=tuple(range(len(small))),
        command="offramp search-evidence a b",
        seconds=60.0,
        environment={"python": "3.11.7"},
    )


BESIDE = _beside((80.0, 80.8, 81.4), (96.0, 96.1, 96.2))


def test_a_verdict_needs_the_interval_to_leave_the_papers_figure_out() -> None:
    first, second, third, none = BESIDE.rows
    assert [one.outcome for one in BESIDE.rows] == ["better", "equal", "worse", "none"]
    assert [one.reached for one in BESIDE.rows] == [True, False, False, False]
    assert second.accuracy == first.accuracy == spread([80.0, 80.8, 81.4])
    assert first.factor == 2455 / SMALL.network.parameters
    assert third.off == pytest.approx(96.1 - 96.79)
    assert (none.off, none.factor) == (None, None)


def test_an_equal_mean_is_reached_whatever_the_rounding() -> None:
    beside = _beside((80.89, 80.88, 80.90), (96.79, 96.78, 96.80))
    assert [one.reached for one in beside.rows] == [True, True, True, False]


def test_one_seed_makes_no_verdict_with_an_interval() -> None:
    beside = _beside((78.0,), (96.0,))
    assert [one.outcome for one in beside.rows] == ["above", "below", "below", "none"]
    assert "above: the one run is at the paper's figure or above; one seed gives no interval." in findings(
        beside
    )


def test_the_words_name_the_rows_that_fail_and_how_far_they_got() -> None:
    found = findings(BESIDE)
    factor = 2455 / SMALL.network.parameters
    assert found[0] == (
        f"For 1 of the 4 dense rows a network with {factor:.1f} times fewer parameters has at least the"
        " paper's accuracy in the mean of the seeds; in 1 of these the 95% interval leaves the paper's figure"
        " out."
    )
    assert found[1].startswith("Not reached: row 2 (2,443 parameters, 80.89): 80.73 ± 1.74 with ")
    assert "row 25 (23,530 parameters, 96.79): 96.10 ± 0.25 with 6,340, -0.69 points." in found[1]
    assert found[2] == "The searches have no network small enough for row 28."
    assert (
        found[3] == "Against the same dense rows trained by us as published, 1 of 2 are reached; not row 25."
    )
    assert (
        "2 networks have: 1 of them average the image over windows first, 1 learn from a teacher, 1 are"
        in found[4]
    )
    assert not any(
        "trained by us" in one for one in findings(_beside((80.0, 81.0), (96.0, 97.0), known=False))
    )
    none = _beside((70.0, 70.1), (90.0, 90.1))
    assert findings(none)[0] == "For none of the 4 dense rows a network 4 times smaller is as good."


def test_the_tables_call_a_network_by_one_letter() -> None:
    head, *rows = row_table(BESIDE)
    letters = [row[head.index("found")] for row in rows]
    assert letters == ["A", "A", "B", "none"]
    assert [row[head.index("ours as published %")][:5] for row in rows] == ["80.50", "", "96.50", ""]
    assert "ours as published %" not in row_table(_beside((80.0, 81.0), (96.0, 97.0), known=False))[0]
    _, first, second = network_table(BESIDE)
    assert first[:6] == ["A", "200,16,10", "2,full", "2x4", "2×2", "0.5"]
    assert first[-1] == "1, 2"
    assert second[:6] == ["B", "200,30,10", "full,full", "dense", "none", "none"]
    assert told(BESIDE.rows[3]) == "row 28, 33,199 parameters, paper 97.35: no network found"


def test_the_files_hold_every_run_for_each_of_its_rows(tmp_path: Path) -> None:
    paths = [*write_found(BESIDE, tmp_path), *write_found_page(BESIDE, tmp_path / "page.md")]
    assert [path.name for path in paths] == ["results.json", "search.csv", "page.md", "page.csv", "page.svg"]
    text = (tmp_path / "search.csv").read_text()
    assert text == (tmp_path / "page.csv").read_text()
    lines = list(csv.DictReader(io.StringIO(text)))
    assert list(lines[0]) == [
        "dense_parameters",
        "dense_accuracy_percent",
        "neurons",
        "out_degrees",
        "pattern",
        "block",
        "pooling",
        "seed",
        "parameters",
        "accuracy_percent",
    ]
    assert [line["dense_parameters"] for line in lines] == ["2455"] * 3 + ["2443"] * 3 + ["23530"] * 3
    assert [line["seed"] for line in lines] == ["0", "1", "2"] * 3
    assert list(lines[0].values())[1:7] == ["76.58", "200 16 10", "2 10", "block", "2x4", "2"]
    assert list(lines[8].values())[2:] == ["200 30 10", "30 10", "full", "", "1", "2", "6340", "96.20"]
    result = json.loads((tmp_path / "results.json").read_text())
    assert [row["outcome"] for row in result["rows"]] == ["better", "equal", "worse", "none"]
    assert result["rows"][0]["network"]["parameters"] == SMALL.network.parameters
    page = (tmp_path / "page.md").read_text()
    assert (
        "`offramp search --data mnist --max-params 620` trained 90 networks, 9 of them to the highest" in page
    )
    assert "](page.svg)" in page
    assert "[page.csv](page.csv)" in page
    assert (tmp_path / "page.svg").read_text().startswith("<?xml")


def test_the_dense_rows_of_a_reproduction_are_read_as_published(tmp_path: Path) -> None:
    path = tmp_path / "paper.csv"
    path.write_text(
        "table,type,neurons,out_degrees,recipe,pattern,block,seed,parameters,accuracy_percent,train_s\n"
        "1,deep,800 3 3 10,3 3 10,paper,full,,0,2455,79.00,7\n"
        "1,deep,800 3 3 10,3 3 10,paper,full,,1,2455,81.00,7\n"
        "1,deep,800 3 3 10,3 3 10,cosine,full,,0,2455,99.00,7\n"
        "1,sparse,800 40 40 10,2 9 10,paper,random,,0,2450,94.00,7\n"
    )
    assert read_reproduced(path) == {(1, (800, 3, 3, 10)): spread([79.0, 81.0])}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", r"is no .csv of offramp reproduce \(KeyError: 'type'\)"),
        ("table,type,neurons,recipe,accuracy_percent\nx,deep,1,paper,2\n", r"\(ValueError: invalid literal"),
        (None, "cannot be read: .* give the .csv of offramp reproduce"),
    ],
    ids=["other columns", "no number", "no file"],
)
def test_another_file_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "paper.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=words):
        read_reproduced(path)
