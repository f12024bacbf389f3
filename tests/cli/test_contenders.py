from typing import Any

import pytest

from offramp.cli.comparison import compare
from offramp.cli.contenders import Settings, train_all
from offramp.cli.demo import TRIOS
from offramp.data import Dataset, load
from offramp.system.design import Design

SETTINGS = Settings(
    seeds=(0, 1),
    epochs=2,
    batch_size=256,
    rate_bits_per_s=1e7,
    delay_ms=0,
    deadline_s=2,
    samples=10,
    threads=1,
)


def digits(*, seed: int) -> Dataset:
    return load("digits", seed=seed)


@pytest.fixture
def splits_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every split that is read from now on."""
    names: list[str] = []
    split = Dataset.split
    monkeypatch.setattr(Dataset, "split", lambda self, name: names.append(name) or split(self, name))
    return names


def test_training_reads_no_test_sample(splits_read: list[str]) -> None:
    designs = {"dense, 8 neurons": Design(neurons=(64, 8, 16, 10), out_degrees=[None] * 3)}
    (contender,) = train_all(designs, digits, digits(seed=0), SETTINGS)
    assert [one.bundle.training["seed"] for one in contender.trained] == [0, 1]
    assert contender.trained[0].bundle.name == "dense"
    assert "validation" in splits_read
    assert "test" not in splits_read


def test_the_dense_network_is_chosen_before_a_test_sample_is_read(
    splits_read: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    class ChosenError(Exception):
        pass

    def chosen(*_: object, **__: object) -> None:
        raise ChosenError

    monkeypatch.setattr("offramp.cli.comparison.choose", chosen)
    with pytest.raises(ChosenError):
        compare(TRIOS["digits"].designs(), digits, SETTINGS, out_dir=tmp_path, command="")
    assert set(splits_read) == {"train", "validation", "calibration"}
