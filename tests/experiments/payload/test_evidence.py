"""Means, targets, tables, figure and files."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from offramp.codec import CODECS
from offramp.experiments.payload import (
    PayloadEvidence,
    codec_table,
    findings,
    marked,
    system_table,
    wire_table,
    write_payload,
    write_payload_page,
)
from offramp.experiments.payload.evidence import payload_csv
from offramp.experiments.payload.figure import payload_svg


def test_the_drop_pairs_each_seed_with_itself(evidence: PayloadEvidence) -> None:
    one = evidence.budgets[0]
    tails = [run.tail_percent for run in one.runs]
    systems = [100 * run.certified.accuracy for run in one.runs]
    interval = stats.ttest_rel(tails, systems).confidence_interval(0.95)
    found = one.drop("certified")
    assert found.margin is not None
    assert found.mean == pytest.approx(np.mean(tails) - np.mean(systems))
    assert found.mean + found.margin == pytest.approx(interval.high)


def test_the_factor_is_that_of_the_mean_bytes(evidence: PayloadEvidence) -> None:
    large, small = evidence.budgets
    assert large.factor("certified") == pytest.approx(784 / (11 * 0.06))
    assert large.meets("certified") == (True, True)
    assert small.meets("certified") == (False, False)


def test_targets_are_told_met_and_missed_plainly(evidence: PayloadEvidence) -> None:
    large, small, int8, _, best, _, wire, _, seeds = findings(evidence)
    assert "11,410 parameters on the device (at most 12,000)" in large
    assert "1,188x fewer than the 784 of the raw sample" in large
    assert "in 5 of 5 seeds within 0.5" in large
    assert "Met: at most 0.5 points; Met: at least 500x; Met: the aim of 1,000x." in large
    assert "Missed: at most 0.5 points; Missed: at least 500x; Missed: the aim of 1,000x." in small
    assert int8.startswith("int8 features, 12,000: -0.02 ± 0.00 points against float32. Met: within 0.1")
    assert "int4-range with 11.00 ± 0.00 bytes an offloaded sample, 14.5x fewer than float32" in best
    assert best.endswith("Met: at most 0.2 points lost.")
    assert "one by one 300.7 bytes a sample (1,084.0 for images)" in wire
    assert "in batches of 64 5.4 bytes a sample" in wire
    assert seeds == "All of it in the mean of 5 seeds, with 95% intervals."


def test_verdicts_follow_the_figures(evidence: PayloadEvidence) -> None:
    def worse(run):  # type: ignore[no-untyped-def]
        return replace(
            run,
            codecs=tuple(replace(codec, against_float32=-0.3) for codec in run.codecs),
            certified=replace(run.certified, bytes_per_sample=0.0, mean_bytes=None),
        )

    studied = tuple(replace(one, judged=tuple(map(worse, one.judged))) for one in evidence.studied)
    late = tuple(replace(one, fallbacks=2) for one in evidence.streamed)
    told = " ".join(findings(replace(evidence, studied=studied, streamed=late)))
    assert told.count("Missed: within 0.1 points.") == 2
    assert told.count("Missed: at most 0.2 points lost.") == 2
    assert told.count("∞x fewer than the 784") == 2
    assert "12 samples were not answered by the tail, and fell back on the exit." in told


def test_one_seed_has_no_intervals(evidence: PayloadEvidence) -> None:
    studied = tuple(replace(one, judged=one.judged[:1]) for one in evidence.studied)
    alone = replace(evidence, studied=studied, plan=replace(evidence.plan, seeds=(0,)))
    assert findings(alone)[-1] == "One seed: there are no intervals."
    assert "±" not in str(system_table(alone)) + " ".join(findings(alone))
    ET.fromstring(payload_svg(alone))


def test_tables_have_a_line_for_each_threshold_codec_and_stream(evidence: PayloadEvidence) -> None:
    lines = system_table(evidence)
    assert [line[:3] for line in lines[1:]] == [
        [budget, parameters, threshold]
        for budget, parameters in (("12,000", "11,410"), ("4,000", "3,410"))
        for threshold in ("certified", "not certified")
    ]
    codecs = codec_table(evidence.budgets[0])
    assert [line[0] for line in codecs[1:]] == [*CODECS[:-1], "**int4-range**"]
    assert [line[0] for line in marked(codecs)[1:]] == list(CODECS)
    assert len(wire_table(evidence)) == 1 + 2 * 3 * 2
    for table in (lines, codecs, wire_table(evidence)):
        assert len({len(line) for line in table}) == 1


def test_the_csv_has_a_line_for_each_budget_seed_and_codec(evidence: PayloadEvidence) -> None:
    head, *lines = payload_csv(evidence).splitlines()
    assert len(lines) == 2 * 5 * len(CODECS)
    assert {line.count(",") for line in lines} == {head.count(",")}
    first = dict(zip(head.split(","), lines[7].split(","), strict=True))
    assert first["codec"] == "int4-range"
    assert first["fitted_to"] == "unsure"
    assert first["chosen"] == "1"
    assert first["payload_bytes_per_sample"] == "0.6600"
    assert sum(line.split(",")[4] == "1" for line in lines) == 10


def test_files_hold_what_the_study_says(evidence: PayloadEvidence, tmp_path: Path) -> None:
    assert [path.name for path in write_payload(evidence, tmp_path)] == ["results.json", "results.csv"]
    results = json.loads((tmp_path / "results.json").read_text())
    large, small = results["budgets"]
    assert large["certified"]["drop_met"]
    assert large["certified"]["factor"] == pytest.approx(784 / 0.66)
    assert not small["certified"]["factor_met"]
    assert large["codec"] == {"codec": "int4-range", "fitted_to": "unsure"}
    assert len(large["runs"]) == 5
    assert len(results["wire"]) == 12


def test_the_page_shows_its_figure_and_its_command(evidence: PayloadEvidence, tmp_path: Path) -> None:
    written = write_payload_page(evidence, tmp_path / "payload.md")
    assert [path.name for path in written] == ["payload.md", "payload.csv", "payload.svg"]
    text = written[0].read_text()
    assert sorted(set(re.findall(r"\]\(([^)]*)\)", text))) == ["payload.csv", "payload.svg"]
    assert "Written by `offramp payload`" in text
    assert str(tmp_path) not in text
    for block in re.findall(r"(?:\|.*\n)+", text):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_the_figure_draws_and_the_same_study_gives_the_same_bytes(evidence: PayloadEvidence) -> None:
    drawn = payload_svg(evidence)
    assert ET.fromstring(drawn).tag.endswith("svg")
    assert drawn == payload_svg(evidence)
