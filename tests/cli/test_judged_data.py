"""The samples that a bundle is calibrated or judged on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offramp.bundle import Bundle, read
from offramp.cli.judged_data import Source
from offramp.data import load, samples_digest
from offramp.errors import ConfigError, DataError

OWN = Source(None, None, None)


@pytest.fixture(scope="module")
def network(bundle: Path) -> Bundle:
    return read(bundle)


def trained(network: Bundle, **changes: object) -> Bundle:
    """The bundle with another record of its training."""
    return replace(network, training=network.training | changes)


def file(folder: Path, name: str = "new.npz", **arrays: np.ndarray) -> Source:
    np.savez(folder / name, **arrays)
    return Source(str(folder / name), None, None)


@pytest.mark.parametrize("split", ["train", "validation", "calibration", "test"])
def test_without_a_file_it_is_a_split_of_the_data_set_of_the_training(network: Bundle, split: str) -> None:
    found = OWN.samples(network, split)
    x, y = load("digits", seed=0).split(split)
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(found.y, y)
    assert found.words == f"the {split} split of digits, {len(x):,} samples"
    assert found.own is not None


def test_the_seed_is_that_of_the_training(network: Bundle) -> None:
    other = load("digits", seed=5)
    found = OWN.samples(trained(network, seed=5, data_digest=other.digest("train")), "test")
    np.testing.assert_array_equal(found.x, other.split("test")[0])


def test_data_called_as_those_of_the_training_must_be_the_same(network: Bundle) -> None:
    with pytest.raises(DataError, match=r"digits is not what bundle 'digits' was trained on: .*the record"):
        OWN.samples(trained(network, data_digest="0" * 64), "test")


def test_data_of_the_training_that_nobody_can_find_are_asked_for(network: Bundle) -> None:
    with pytest.raises(ConfigError, match=r"was trained on 'machines', .*give the file .*with --data"):
        OWN.samples(trained(network, dataset="machines"), "test")


@pytest.mark.parametrize("split", ["validation", "calibration"])
def test_what_was_trained_on_judges_nothing(network: Bundle, split: str) -> None:
    everything = trained(network, recipe={"name": "paper", "train_on_everything": True})
    with pytest.raises(DataError, match=rf"trained on the {split} split too, recipe paper; give other"):
        OWN.samples(everything, split)
    assert OWN.samples(everything, "test").own is not None


def test_the_file_of_the_training_gives_its_split(network: Bundle, tmp_path: Path) -> None:
    digits = load("digits", seed=0)
    names = np.array(digits.classes)
    source = file(tmp_path, x=digits.x, y=names[digits.y], **digits.splits)
    found = source.samples(trained(network, dataset="new"), "calibration")
    np.testing.assert_array_equal(found.x, digits.split("calibration")[0])
    assert found.own is not None


def test_another_file_gives_all_of_its_samples_as_the_bundle_numbers_classes(
    network: Bundle, tmp_path: Path
) -> None:
    x, y = load("digits", seed=0).split("test")
    some = y >= 7  # in the file 7, 8 and 9 are classes 0, 1 and 2
    found = file(tmp_path, x=x[some], y=y[some].astype(str)).samples(network, "calibration")
    np.testing.assert_array_equal(found.x, x[some])
    np.testing.assert_array_equal(found.y, y[some])
    assert found.own is None
    assert found.words == f"all {some.sum()} samples of new"


def test_a_file_of_what_was_trained_on_is_refused(network: Bundle, tmp_path: Path) -> None:
    x, y = load("digits", seed=0).split("train")
    assert samples_digest(x, y) == network.training["data_digest"]
    with pytest.raises(DataError, match=r"bundle 'digits' was trained on these samples; give others"):
        file(tmp_path, x=x, y=y.astype(str)).samples(network, "calibration")


def test_classes_that_the_bundle_does_not_know_are_named(network: Bundle, tmp_path: Path) -> None:
    x = np.zeros((10, 8, 8), np.uint8)
    source = file(tmp_path, x=x, y=np.array(["3", "owl"] * 5))
    with pytest.raises(DataError, match=r"new: classes 'owl' are not among the bundle's '0', '1'"):
        source.samples(network, "calibration")


def test_samples_without_labels_are_taken_where_none_are_needed(network: Bundle, tmp_path: Path) -> None:
    x = load("digits", seed=0).x[:20]
    source = file(tmp_path, x=x)
    found = source.samples(network, "calibration", labelled=False)
    np.testing.assert_array_equal(found.x, x)
    assert found.y is None
    assert found.words == f"20 unlabelled samples of {source.data}"
    with pytest.raises(DataError, match=r"holds x; give x, y"):
        source.samples(network, "calibration")


def test_labels_that_are_there_are_used_though_none_are_needed(network: Bundle, tmp_path: Path) -> None:
    x, y = load("digits", seed=0).split("test")
    source = file(tmp_path, x=x, y=y.astype(str))
    assert source.samples(network, "calibration", labelled=False).y is not None
    assert OWN.samples(network, "calibration", labelled=False).y is not None


def test_training_samples_are_those_of_the_data_or_built_in(network: Bundle, tmp_path: Path) -> None:
    x, y = load("digits", seed=0).split("test")
    expected = load("digits", seed=0).split("train")[0]
    other = file(tmp_path, x=x, y=y.astype(str))
    for source in (OWN, other):
        np.testing.assert_array_equal(source.training(network, source.samples(network, "test")), expected)
    lost = trained(network, dataset="machines")
    with pytest.raises(ConfigError, match=r"those of 'machines' are not at hand; give their file"):
        other.training(lost, other.samples(lost, "test"))


def test_unknown_splits_are_refused(network: Bundle) -> None:
    with pytest.raises(ConfigError, match="unknown split 'tests'; use one of train, validation, calibration"):
        OWN.samples(network, "tests")
