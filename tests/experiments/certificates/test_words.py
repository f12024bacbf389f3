"""The page says what the rows say."""

from dataclasses import replace
from pathlib import Path

import pytest

from offramp.experiments.certificates import Study, findings, table, write_study, write_study_page


def test_a_table_has_every_way_of_its_measure(study: Study) -> None:
    for measure in ("accuracy-drop", "exited-error", "disagreement"):
        head, *body = table(study, measure)
        assert len(body) == sum(row.way.measure == measure for row in study.rows)
        assert all(len(line) == len(head) for line in body)
    assert table(study, "accuracy-drop")[1][:3] == ["ltt", "by fitting samples", "0.5"]


def test_findings_tell_what_holds_and_what_does_not(study: Study) -> None:
    rows = [
        replace(row, violations=2 if row.way.name == "ucb wsr" else 0)
        if row.way.promise == "probability"
        else row
        for row in study.rows
    ]
    kept, mean, *_ = findings(replace(study, rows=tuple(rows)))
    n, n_over = len(study.of("probability")), 6
    assert f"Of {n} ways that promise at most 10% violations, {n - n_over} stayed at or under 10%" in kept
    assert "none is above it by more than chance" in kept
    assert "The largest share is 66.7%, 95% interval 9.4% to 99.2% (`ucb wsr`, accuracy-drop" in kept
    assert mean.startswith("`crc` promises a mean risk only: it is at most eps in ")
    many = [replace(row, trials=1000, violations=200) for row in rows]
    assert f"and {n} is above it" in findings(replace(study, rows=tuple(many)))[0]


def test_most_exits_are_those_of_a_way_with_a_guarantee(study: Study) -> None:
    rows = [
        replace(
            row,
            never=0,
            exit_rate_mean={"ltt-holm": 0.9, "empirical": 0.99, "crc": 0.99}.get(row.way.method, 0.5),
        )
        for row in study.rows
    ]
    told = [one for one in findings(replace(study, rows=tuple(rows))) if one.startswith("Most exits")]
    assert len(told) == 3
    assert all("90.0% for eps 0.5% (`ltt-holm binomial`)" in one for one in told)


def test_trials_without_a_threshold_are_told(study: Study) -> None:
    rows = [replace(row, never=2, exit_rate_mean=0.1) for row in study.rows]
    assert "; in 2 trials nothing could be certified)" in findings(replace(study, rows=tuple(rows)))[-2]


def test_what_the_peer_does_otherwise_is_explained(study: Study) -> None:
    if not study.peers:
        pytest.skip("MAPIE is not installed")
    calm = [replace(one, fewer=0, more=0, gave_up=0) for one in study.peers]
    told = findings(replace(study, peers=tuple(calm)))[-1]
    assert told.endswith("fewer exits in 0. It never lets more samples exit than ours.")
    worse = [
        replace(one, fewer=3, gave_up=2 if one.peer.way.method == "mapie bonferroni_holm" else 1)
        for one in calm
    ]
    told = findings(replace(study, peers=tuple(worse)))[-1]
    assert "it counted up to one error more than there was" in told
    assert "Its Holm correction takes no threshold in 2 trials where ours does" in told
    more = [replace(one, more=1) for one in calm]
    assert "It lets more samples exit in 5." in findings(replace(study, peers=tuple(more)))[-1]


def test_without_the_peer_the_page_says_so(study: Study) -> None:
    assert findings(replace(study, peers=()))[-1].startswith("MAPIE is not installed here")


def test_page_figure_and_rows_lie_side_by_side(study: Study, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    written = write_study_page(study, tmp_path / "certify.md") + write_study(study, tmp_path / "c.json")
    assert [path.name for path in written] == ["certify.md", "certify.csv", "certify.svg", "c.json"]
    page = written[0].read_text()
    assert "](certify.svg)" in page
    assert "[certify.csv](certify.csv)" in page
    assert page.count("| ltt-holm | binomial |") == 9
    assert ("## Beside MAPIE" in page) == bool(study.peers)
    svg = written[2].read_text()
    assert svg.startswith("<?xml")
    assert write_study_page(study, tmp_path / "certify.md")[2].read_text() == svg
