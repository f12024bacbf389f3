"""Differences, seed by seed; words, tables, figure and files."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from scipy import stats

from offramp.experiments.rivals import (
    METHODS,
    Comparison,
    accuracy_table,
    differences_table,
    findings,
    write_comparison,
    write_comparison_page,
)
from offramp.experiments.rivals.evidence import comparison_csv, outcome
from offramp.experiments.rivals.figure import comparison_svg
from offramp.experiments.rivals.words import cost_table, networks_table
from offramp.experiments.statistics import Spread


def _accuracies(comparison: Comparison, method: str, row: int) -> list[float]:
    return [
        run.accuracy_percent
        for seed in comparison.seeds
        for run in comparison.runs
        if (run.method, run.row, run.seed) == (method, row, seed)
    ]


def test_differences_pair_each_seed_with_itself(comparison: Comparison) -> None:
    row = comparison.rows[1]
    ours, theirs = (_accuracies(comparison, name, row.number) for name in ("block", "random"))
    found = comparison.difference("block", row)
    test = stats.ttest_rel(ours, theirs)
    interval = test.confidence_interval(0.95)
    assert found.margin is not None
    assert found.mean - found.margin == pytest.approx(interval.low)
    assert found.mean + found.margin == pytest.approx(interval.high)
    alone = comparison.accuracy(row, "block").margin
    assert alone is not None
    assert found.margin < alone / 2  # what the seeds have in common is gone


def test_the_mean_over_rows_takes_each_seed_as_one_value(comparison: Comparison) -> None:
    numbers = [row.number for row in comparison.rows]
    ours, theirs = (
        np.mean([_accuracies(comparison, name, number) for number in numbers], axis=0)
        for name in ("rigl", "random")
    )
    found = comparison.mean_difference("rigl")
    assert found.n == 5
    assert found.mean == pytest.approx(np.mean(ours - theirs))
    assert found.deviation == pytest.approx(np.std(ours - theirs, ddof=1))


def test_an_outcome_is_told_only_where_the_interval_leaves_out_zero() -> None:
    assert outcome(Spread(5, 0.3, 0.1, 0.2, 0.4)) == "better"
    assert outcome(Spread(5, -0.3, 0.1, 0.2, 0.4)) == "worse"
    assert outcome(Spread(5, -0.15, 0.1, 0.2, 0.4)) == "open"
    assert outcome(Spread(1, 3.0, None, None, None)) == "open"


def test_findings_say_who_wins_and_who_loses(comparison: Comparison) -> None:
    better, worse, same, best, pooled, pruning, chance = findings(comparison)
    assert better.startswith(
        "Better than `random`, in the mean of rows 3, 12, 30, in points: `pooled_sparse`"
    )
    order = [better.index(f"`{name}`") for name in ("pooled_sparse", "pruned", "rigl", "block")]
    assert order == sorted(order)
    assert "`deep` -3.0" in worse
    assert "`shallow` -3.0" in worse
    assert "(better in 0 of 3, worse in 3)" in worse
    for name in ("affine", "clash_free", "unstructured", "pooled_dense"):
        assert f"`{name}`" in same
    assert "The highest mean: `pooled_sparse` in rows 3, 12, 30. Without pooled inputs: `pruned`" in best
    assert best.endswith("Without pooled inputs and baselines: `block` in rows 3, 12, 30.")
    assert re.search(r"`pooled_sparse` \+1\.\d\d ± 0\.\d\d \(better in 3 of 3, worse in 0\)", pooled)
    assert "8 times the multiply-adds" in pruning
    assert chance.startswith("Of the 30 intervals by row, 1.5 would")


def test_findings_follow_the_numbers(comparison: Comparison) -> None:
    turned = [
        structs.replace(run, accuracy_percent=100 - run.accuracy_percent / 2) for run in comparison.runs
    ]
    better, worse, *_ = findings(replace(comparison, runs=tuple(turned)))
    assert "`deep`" in better
    assert "`pooled_sparse`" in worse


def test_one_seed_tells_nothing_apart(comparison: Comparison) -> None:
    runs = tuple(run for run in comparison.runs if run.seed == 0)
    alone = replace(comparison, runs=runs, seeds=(0,))
    first, *_, last = findings(alone)
    assert first.startswith("Not told apart from `random`")
    assert last == "With one seed there are no intervals, and nothing can be told apart."
    assert "±" not in str(accuracy_table(alone) + differences_table(alone))
    ET.fromstring(comparison_svg(alone))


def test_tables_have_a_line_for_each_method(comparison: Comparison) -> None:
    head, *body = accuracy_table(comparison)
    assert head == ["method", "kind", "row 3", "row 12", "row 30"]
    assert [line[0] for line in body] == list(METHODS)
    assert {line[0] for line in body if line[1] == "baseline"} == {"unstructured", "pruned", "rigl"}
    head, *body = differences_table(comparison, mark=lambda cell: f"<{cell}>")
    assert head[-1] == "all rows"
    assert [line[0] for line in body] == list(METHODS)[1:]
    marked = {line[0]: line[-1].startswith("<") for line in body}
    assert marked["pruned"]
    assert not marked["affine"]
    assert ["pruned", "8", "5.0"] in cost_table(comparison)
    assert ["3", "pooled_dense", "200,10,10,10", "10,10,10", "2,230"] in networks_table(comparison)


def test_the_csv_has_a_line_for_each_run(comparison: Comparison) -> None:
    head, *lines = comparison_csv(comparison.runs).splitlines()
    assert head == (
        "row,kind,method,neurons,out_degrees,recipe,pattern,block,pooling,seed,parameters,edges,"
        "accuracy_percent,train_s"
    )
    assert len(lines) == 3 * 11 * 5
    expected = "3,structured,block,800 40 40 10,2 9 10,paper,block,4x4,1,0,2450,1600 360 400,"
    assert sum(line.startswith(expected) for line in lines) == 1


def test_files_hold_what_the_comparison_says(comparison: Comparison, tmp_path: Path) -> None:
    assert [path.name for path in write_comparison(comparison, tmp_path)] == ["results.json", "results.csv"]
    results = json.loads((tmp_path / "results.json").read_text())
    assert [row["row"] for row in results["rows"]] == [3, 12, 30]
    block = results["rows"][0]["methods"]["block"]
    assert block["difference"]["points"] == pytest.approx(
        comparison.difference("block", comparison.rows[0]).mean
    )
    assert results["mean_differences"]["deep"]["outcome"] == "worse"
    assert results["methods"]["rigl"]["kind"] == "baseline"


def test_the_page_shows_its_figure_and_its_command(comparison: Comparison, tmp_path: Path) -> None:
    written = write_comparison_page(comparison, tmp_path / "comparisons.md")
    assert [path.name for path in written] == ["comparisons.md", "comparisons.csv", "comparisons.svg"]
    text = written[0].read_text()
    linked = re.findall(r"\]\(([^)]*)\)", text)
    assert sorted(set(linked)) == ["comparisons.csv", "comparisons.svg"]
    assert "`offramp compare --rows 3,12,30 --seeds 5`" in text
    assert str(tmp_path) not in text
    assert "| pruned | baseline | " in text
    assert "`pruned` trains 25 epochs more" in text
    for block in re.findall(r"(?:\|.*\n)+", text):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_the_figure_names_every_method_and_the_same_runs_give_the_same_bytes(
    comparison: Comparison,
) -> None:
    drawn = comparison_svg(comparison)
    assert ET.fromstring(drawn).tag.endswith("svg")
    assert drawn == comparison_svg(replace(comparison, runs=comparison.runs[::-1]))
