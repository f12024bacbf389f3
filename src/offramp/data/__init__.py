"""Data sets: labelled raw samples with fixed splits, and the preprocessing that suits them."""

from offramp.data.dataset import SPLITS, Dataset, SplitName, samples_digest
from offramp.data.load import load
from offramp.data.npz import unlabelled
from offramp.data.preprocess import preprocessing_for

__all__ = ["SPLITS", "Dataset", "SplitName", "load", "preprocessing_for", "samples_digest", "unlabelled"]
