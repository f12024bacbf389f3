"""The bar shows on a terminal, and only there."""

import pytest

from offramp.train.history import Epoch
from offramp.train.progress import ProgressBar

EPOCH = Epoch(1, 0.5, None, 0.875, 1e-3, 1.0)


def _printed(capsys: pytest.CaptureFixture[str], *, shown: bool) -> list[tuple[str, str]]:
    """What went to stdout and stderr while training, and then on the way out."""
    bar = ProgressBar(shown=shown)
    bar.begin(n_done=2, n_steps=10, fused=False)
    bar.epoch(EPOCH)
    bar.step(5, 0.4321)
    during = capsys.readouterr()
    bar.end()
    return [during, capsys.readouterr()]


def test_a_terminal_sees_steps_loss_and_accuracy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich takes this for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    (out, err), (_, last) = _printed(capsys, shown=True)
    assert out == ""
    assert "5/10" in err.replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert "loss 0.4321 validation 87.50%" in err
    assert last.endswith("\x1b[2K")  # erased when done


@pytest.mark.parametrize(
    ("terminal", "shown"), [(True, False), (False, True)], ids=["not wanted", "no terminal"]
)
def test_nothing_is_printed_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool, shown: bool
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    assert _printed(capsys, shown=shown) == [("", ""), ("", "")]
