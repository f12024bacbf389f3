"""The samples that a bundle is calibrated or judged on: those of its own data set, or others."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.data import SPLITS, Dataset, SplitName, load, samples_digest, unlabelled
from offramp.data.dataset import Array, IntArray
from offramp.errors import ConfigError, DataError

BUILT_IN = ("digits", "mnist")  # what a bundle's record names so that it can be found again


@dataclass(frozen=True, eq=False)
class Judged:
    """Raw samples for a bundle.

    Args:
        x, y: samples and the bundle's class numbers; y is None where nobody knows them.
        words: what they are, as in "the test split of mnist".
        own: the bundle's data set, split as in its training; None where the samples are of another.
    """

    x: Array
    y: IntArray | None
    words: str
    own: Dataset | None


@dataclass(frozen=True)
class Source:
    """Where samples come from: `--data`, `--data-dir` and `--label`; no `data` for the bundle's own."""

    data: str | None
    data_dir: Path | None
    label: str | None

    def samples(self, bundle: Bundle, split: str, *, labelled: bool = True) -> Judged:
        """The split of the bundle's own data set, or all samples of another one.

        Args:
            labelled: whether labels are needed; an .npz file may else come without.

        Raises:
            ConfigError: no split is called so, or nobody knows where the bundle's data are.
            DataError: samples that the bundle was trained on where it is to be judged by new ones, data that
                are missing or damaged, or classes that are not the bundle's.
        """
        name = _split_named(split)
        x = None if labelled or self.data is None else unlabelled(Path(self.data))
        if x is not None:
            return Judged(x, None, f"{len(x):,} unlabelled samples of {self.data}", None)
        dataset = self.load(bundle)
        if not self._is_own(dataset, bundle):
            return self._all_of(dataset, bundle)
        if name in ("validation", "calibration") and _saw_everything(bundle):
            raise DataError(
                f"bundle {bundle.name!r} was trained on the {name} split too, recipe"
                f" {bundle.training['recipe'].get('name')}; give other samples with --data, or train by"
                " another recipe"
            )
        x, y = dataset.split(name)
        words = f"the {name} split of {dataset.name}, {len(x):,} samples"
        return Judged(x, _numbered(dataset, bundle, y), words, dataset)

    def training(self, bundle: Bundle, samples: Judged) -> Array:
        """Raw samples of the bundle's training split, (n, *shape).

        Raises:
            ConfigError: they are not at hand.
            DataError: data that are missing, damaged or not those of the training.
        """
        if samples.own is None and bundle.training.get("dataset") not in BUILT_IN:
            raise ConfigError(
                "codecs are fitted to the samples that the bundle was trained on, and those of"
                f" {str(bundle.training.get('dataset'))!r} are not at hand; give their file with --data"
            )
        dataset = samples.own or Source(None, self.data_dir, None).load(bundle)
        return dataset.split("train")[0]

    def load(self, bundle: Bundle) -> Dataset:
        """The data, split by the seed of the bundle's training.

        Raises:
            ConfigError: nobody knows where the bundle's data are.
            DataError: data that are missing or damaged, or called as those of the training and different.
        """
        seed = bundle.training.get("seed")
        dataset = load(
            self.data or _built_in(bundle),
            data_dir=self.data_dir,
            label=self.label,
            seed=seed if isinstance(seed, int) else 0,
        )
        recorded = bundle.training.get("data_digest")
        if dataset.name == bundle.training.get("dataset") and not self._is_own(dataset, bundle):
            raise DataError(
                f"{dataset.name} is not what bundle {bundle.name!r} was trained on: its training split has"
                f" the digest {dataset.digest('train')[:12]}, the record says {str(recorded)[:12]}; give the"
                " data of the training, or other samples in a file of another name"
            )
        return dataset

    def _is_own(self, dataset: Dataset, bundle: Bundle) -> bool:
        return dataset.digest("train") == bundle.training.get("data_digest")

    def _all_of(self, dataset: Dataset, bundle: Bundle) -> Judged:
        if samples_digest(dataset.x, dataset.y) == bundle.training.get("data_digest"):
            raise DataError(
                f"{self.data}: bundle {bundle.name!r} was trained on these samples; give others, or leave"
                " --data out where it was trained on digits or mnist"
            )
        words = f"all {len(dataset.x):,} samples of {dataset.name}"
        return Judged(dataset.x, _numbered(dataset, bundle, dataset.y), words, None)


def _split_named(split: str) -> SplitName:
    for name in SPLITS:
        if name == split:
            return name
    raise ConfigError(f"unknown split {split!r}; use one of {', '.join(SPLITS)}")


def _built_in(bundle: Bundle) -> str:
    name = bundle.training.get("dataset")
    if name not in BUILT_IN:
        raise ConfigError(
            f"bundle {bundle.name!r} was trained on {str(name)!r}, which is no data set of ours; give the"
            " file that it was trained on with --data, or another one of labelled samples"
        )
    return str(name)


def _saw_everything(bundle: Bundle) -> bool:
    recipe = bundle.training.get("recipe")
    return isinstance(recipe, dict) and bool(recipe.get("train_on_everything"))


def _numbered(dataset: Dataset, bundle: Bundle, y: IntArray) -> npt.NDArray[np.int64]:
    """Labels as the bundle numbers its classes."""
    if strangers := [name for name in dataset.classes if name not in bundle.classes]:
        raise DataError(
            f"{dataset.name}: classes {_quoted(strangers)} are not among the bundle's"
            f" {_quoted(bundle.classes)}; give samples with the labels of the training data"
        )
    return np.array([bundle.classes.index(name) for name in dataset.classes], np.int64)[y]


def _quoted(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
