"""The dense network as accurate as the sparse one, chosen by validation samples alone."""

from collections.abc import Sequence
from math import sqrt

from offramp.report import Candidate, Choice


def choose(sparse: Candidate, candidates: Sequence[Candidate], *, n_samples: int) -> Choice:
    """The smallest head whose system is, on validation samples, as accurate as the sparse network's.

    As accurate is what has at least the sparse network's accuracy less one standard error: among networks
    that validation cannot tell apart, the smallest. That favours the dense network. Where none is as
    accurate, the best is chosen, and the choice shows it.

    Args:
        candidates: dense, from narrow to wide.
        n_samples: validation samples of each training.
    """
    accuracy = sparse.validation_accuracy.mean
    n = n_samples * len(sparse.validation_accuracy.values)
    least = accuracy - sqrt(accuracy * (1 - accuracy) / n)
    means = [candidate.validation_accuracy.mean for candidate in candidates]
    good = [index for index, mean in enumerate(means) if mean >= least]
    return Choice(
        sparse=sparse,
        least_accuracy=least,
        candidates=list(candidates),
        chosen=good[0] if good else means.index(max(means)),
        n_samples=n_samples,
    )
