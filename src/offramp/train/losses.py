"""What a step makes small: cross-entropy of the tail and of the exits."""

from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot


def joint_loss(
    output: Tensor | tuple[Tensor, ...],
    targets: Tensor,
    *,
    exit_weight: float,
    self_distillation: float,
    temperature: float,
) -> Tensor:
    """Mean cross-entropy of the scores; for a split model the tail's + exit_weight * the exits' mean.

    Args:
        output: scores (batch, n_classes), or those of every exit and then the tail's.
        targets: labels (batch,), or shares of the classes (batch, n_classes).
        self_distillation, temperature: see `Recipe`.
    """
    if isinstance(output, Tensor):
        return cross_entropy(output, targets)
    *exits, tail = output
    told = targets
    if self_distillation:
        told = self_taught(targets, tail.detach(), weight=self_distillation, temperature=temperature)
    exit_losses = sum(cross_entropy(scores, told) for scores in exits)
    return cross_entropy(tail, targets) + exit_weight / len(exits) * exit_losses


def self_taught(targets: Tensor, tail_scores: Tensor, *, weight: float, temperature: float) -> Tensor:
    """(1 - weight) * target + weight * softmax(tail_scores / temperature), (n, n_classes): for the exits."""
    if targets.dim() == 1:
        targets = one_hot(targets, tail_scores.shape[1]).to(tail_scores.dtype)
    return (1 - weight) * targets + weight * (tail_scores / temperature).softmax(1)
