"""What a training takes of memory, in processes of their own."""

from functools import partial
from pathlib import Path

import pytest

from offramp.nn import MLP, SplitModel, split_midpoint
from offramp.train import RECIPES, memory
from offramp.train.memory import peak_training_bytes

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process's peak of memory"
)

ADAM_BYTES = 12  # weight and two moments of an edge, in float32: the least that a training holds


def sparse(width: int) -> SplitModel:
    mlp = MLP([1024, width, 16, 10], [width // 8, None, None], pattern="block", block=(4, 4))
    return split_midpoint(mlp)


def dense(width: int) -> SplitModel:
    return split_midpoint(MLP([1024, width, 16, 10]))


def test_the_peak_grows_with_the_width_and_sparse_takes_less_than_dense() -> None:
    builds = {
        "narrow": partial(sparse, 128),
        "wide": partial(sparse, 1024),
        "dense": partial(dense, 1024),
    }
    peaks = peak_training_bytes(builds, RECIPES["cosine"])
    assert list(peaks) == list(builds)
    narrow, wide, full = (peaks[name] or 0 for name in builds)
    assert narrow > ADAM_BYTES * 1024 * 16
    assert wide > narrow + ADAM_BYTES * 1024 * (128 - 16)
    assert full > wide + ADAM_BYTES * 1024 * (1024 - 128) / 2


def test_a_single_network_is_measured_in_this_process() -> None:
    (peak,) = peak_training_bytes({"only": partial(sparse, 1024)}, RECIPES["cosine"]).values()
    assert (peak or 0) > ADAM_BYTES * 1024 * 128


def test_where_the_system_does_not_tell_the_peak_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CLEAR_REFS", Path("/proc/self/absent"))
    assert peak_training_bytes({"only": partial(sparse, 64)}, RECIPES["cosine"]) == {"only": None}
