"""How far many runs are, and how long they still take."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.train.overview import Overview, OverviewBar


def test_the_pace_is_that_of_what_was_done_here() -> None:
    overview = Overview([10, 10, 20])
    assert (overview.share, overview.left_s(1)) == (0, None)
    overview.done(0)  # finished in an earlier call
    overview.begin(1, 0.5)  # as was half of this
    assert (overview.n_done, overview.share, overview.left_s(5)) == (1, 15 / 40, None)
    overview.advance(1, 0.75)
    assert overview.left_s(5) == pytest.approx(5 * 22.5 / 2.5)
    overview.done(1)
    overview.begin(2, 0)
    overview.advance(2, 0.75)
    assert (overview.n_done, overview.left_s(20)) == (2, pytest.approx(5))
    overview.done(2)
    assert (overview.n_done, overview.share, overview.left_s(30)) == (3, 1, 0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6), st.data())
def test_the_share_is_between_nothing_and_all_and_only_grows(
    expected_s: list[float], data: st.DataObject
) -> None:
    overview, before = Overview(expected_s), 0.0
    for index in data.draw(st.permutations(range(len(expected_s)))):
        if data.draw(st.booleans()):
            shares = sorted(data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=3)))
            overview.begin(index, shares[0])
            for share in shares:
                overview.advance(index, share)
                assert before - 1e-9 <= overview.share <= 1 + 1e-9
                before = overview.share
        overview.done(index)
        assert before - 1e-9 <= overview.share <= 1 + 1e-9
        before = overview.share
    assert before == pytest.approx(1)


def test_a_terminal_sees_runs_time_and_news_and_nothing_of_it_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich takes this for a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    now = iter(range(0, 10_000, 60))
    bar = OverviewBar([60, 60], shown=True, clock=lambda: next(now))
    bar.begin(0, 0)
    bar.advance(0, 0.5, "seed 0: validation 97.50%")
    out, err = capsys.readouterr()
    assert out == ""
    assert "trained 0 of 2" in err
    assert "25% time left 0:06:00 seed 0: validation 97.50%" in err
    bar.hide()
    assert capsys.readouterr().err.endswith("\x1b[2K")  # room for others
    bar.done(0)
    bar.refresh()
    err = capsys.readouterr().err
    assert "trained 1 of 2" in err
    assert f"50% time left {timedelta(minutes=3)}" in err
    bar.hide()
    assert capsys.readouterr().err.endswith("\x1b[2K")


def test_nothing_is_printed_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    bar = OverviewBar([1], shown=True)
    bar.begin(0, 0)
    bar.done(0)
    bar.refresh()
    bar.hide()
    assert capsys.readouterr() == ("", "")
