"""Networks cut in two, with an exit at the cut."""

from collections.abc import Sequence

from torch import Tensor, nn

from offramp.errors import ConfigError
from offramp.nn.mlp import MLP


class Exit(MLP):
    """The classifier at the cut: dense layers from the head's features to scores, ReLU between them.

    Args:
        n_features: width of the head's features.
        n_classes: width of the scores.
        hidden: widths of hidden layers, most often none.
    """

    def __init__(self, n_features: int, n_classes: int, hidden: Sequence[int] = ()) -> None:
        super().__init__([n_features, *hidden, n_classes])


class SplitModel(nn.Module):
    """A head on the device, an exit at the cut, a tail on the server; trained as one.

    Args:
        head: x (batch, n_in) -> features (batch, n_features).
        exit: features -> exit scores (batch, n_classes).
        tail: features -> tail scores (batch, n_classes).
    """

    def __init__(self, head: nn.Module, exit: nn.Module, tail: nn.Module) -> None:
        super().__init__()
        self.head, self.exit, self.tail = head, exit, tail

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(exit scores, tail scores) of every sample: both, since both are trained."""
        features = self.head(x)
        return self.exit(features), self.tail(features)


def split_midpoint(mlp: MLP, *, exit_hidden: Sequence[int] = ()) -> SplitModel:
    """The network cut after L // 2 of its L junctions, at least one, with a fresh exit at the cut.

    Head and tail share their modules with `mlp`. The ReLU at the cut belongs to the head, so features are
    not negative.

    Raises:
        ConfigError: not an `MLP`, or one with a single junction, so that no tail would remain.

    Source: arXiv:2407.11763 (its networks are split at the midpoint).
    """
    if not isinstance(mlp, MLP):
        raise ConfigError(
            f"a {type(mlp).__name__} has no midpoint that is known; give an MLP, or cut it yourself with"
            " SplitModel(head, exit, tail)"
        )
    n_junctions = len(mlp.neurons) - 1
    if n_junctions < 2:
        raise ConfigError(
            f"an MLP of {list(mlp.neurons)} has {n_junctions} junction; a cut needs 2, so add a hidden layer"
        )
    n_head = max(1, n_junctions // 2)
    layers = list(mlp)
    head, tail = nn.Sequential(*layers[: 2 * n_head]), nn.Sequential(*layers[2 * n_head :])
    return SplitModel(head, Exit(mlp.neurons[n_head], mlp.neurons[-1], exit_hidden), tail)
