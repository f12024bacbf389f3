"""What exits and tail are told, and how much it counts."""

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from offramp.train.losses import joint_loss, self_taught

Y = torch.tensor([0, 2, 1, 2, 2])


def _loss(
    *outputs: torch.Tensor, weight: float = 0.5, own: float = 0.0, targets: torch.Tensor = Y
) -> torch.Tensor:
    return joint_loss(outputs, targets, exit_weight=weight, self_distillation=own, temperature=2.0)


def test_exits_share_their_weight() -> None:
    one, other, tail = torch.randn(3, 5, 3)
    losses = [cross_entropy(scores, Y) for scores in (one, other, tail)]
    assert _loss(one, tail, weight=0.8).item() == pytest.approx((losses[2] + 0.8 * losses[0]).item())
    both = losses[2] + 0.4 * losses[0] + 0.4 * losses[1]
    assert _loss(one, other, tail, weight=0.8).item() == pytest.approx(both.item())
    alone = joint_loss(tail, Y, exit_weight=0.8, self_distillation=0.9, temperature=2.0)
    assert torch.equal(alone, losses[2])


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "shares"])
def test_the_tail_teaches_the_exits_and_learns_nothing_by_it(soft: bool) -> None:
    exit, tail = torch.randn(2, 5, 3)
    targets = torch.softmax(torch.randn(5, 3), dim=1) if soft else Y
    exit.requires_grad_()
    tail.requires_grad_()
    _loss(exit, tail, own=0.3, targets=targets).backward()
    shares = 0.7 * (targets if soft else one_hot(Y, 3)) + 0.3 * torch.softmax(tail.detach() / 2, dim=1)
    torch.testing.assert_close(shares.sum(1), torch.ones(5))
    mine = (torch.softmax(exit.detach(), 1) - shares) / 5 * 0.5
    torch.testing.assert_close(exit.grad, mine)
    own = targets if soft else one_hot(Y, 3)
    torch.testing.assert_close(tail.grad, (torch.softmax(tail.detach(), 1) - own) / 5)


def test_a_share_of_one_is_the_tails_word_alone() -> None:
    tail = torch.randn(5, 3)
    torch.testing.assert_close(self_taught(Y, tail, weight=1.0, temperature=1.0), torch.softmax(tail, dim=1))
