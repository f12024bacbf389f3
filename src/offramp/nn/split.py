"""Networks cut in two, with exits at the cut and elsewhere."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from torch import Tensor, nn

from offramp.errors import ConfigError
from offramp.nn.leaves import leaves
from offramp.nn.mlp import MLP

_NOTHING: Mapping[str, nn.Module] = MappingProxyType({})


class Exit(MLP):
    """The classifier at an exit: dense layers from features to scores, ReLU between them.

    Args:
        n_features: width of the features.
        n_classes: width of the scores.
        hidden: widths of hidden layers, most often none.
        final_relu: a ReLU on the scores too, see `MLP`.
    """

    def __init__(
        self, n_features: int, n_classes: int, hidden: Sequence[int] = (), *, final_relu: bool = False
    ) -> None:
        super().__init__([n_features, *hidden, n_classes], final_relu=final_relu)


class SplitModel(nn.Module):
    """A head on the device, an exit at the cut, a tail on the server; trained as one.

    Args:
        head: x (batch, n_in) -> features (batch, n_features).
        exit: features -> exit scores (batch, n_classes).
        tail: features, or what the encoder makes of them -> tail scores (batch, n_classes).
        encoder: features -> the few values (batch, width) that cross the wire; the tail begins with its
            decoder. Exits read the features, never these.
        inner_exits: classifiers after the first n layers of head or tail, under "head-<n>" and "tail-<n>".
            Layers are counted as in a bundle: those inside nested `nn.Sequential`s, ReLU included.

    Raises:
        ConfigError: a name that is no such place.
    """

    def __init__(
        self,
        head: nn.Module,
        exit: nn.Module,
        tail: nn.Module,
        *,
        encoder: nn.Module | None = None,
        inner_exits: Mapping[str, nn.Module] = _NOTHING,
    ) -> None:
        super().__init__()
        self.head, self.exit, self.tail = head, exit, tail
        # What there is not must not show: checkpoints know a model by its repr and its state_dict.
        self.encoder: nn.Module | None = encoder
        self.inner_exits: Mapping[str, nn.Module] = {}
        if inner_exits:
            places = sorted(inner_exits, key=lambda name: place_of(name, head, tail))
            self.inner_exits = nn.ModuleDict({name: inner_exits[name] for name in places})  # type: ignore[assignment]

    @property
    def exits(self) -> dict[str, nn.Module]:
        """Every exit in order of execution, by the name of its part: "exit-head-2", "exit", "exit-tail-2"."""
        inner = {f"exit-{name}": module for name, module in self.inner_exits.items()}
        head = {name: module for name, module in inner.items() if name.startswith("exit-head")}
        return {**head, "exit": self.exit, **inner}

    @property
    def exit_names(self) -> tuple[str, ...]:
        """The names of `exits`: what the scores are of, before the tail's."""
        return tuple(self.exits)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Scores of every exit in order of execution, then the tail's, of every sample: all are trained."""
        features, tail_scores = self.at_exits(x)
        exits = zip(self.exits.values(), features, strict=True)
        return (*(exit(read) for exit, read in exits), tail_scores)

    def at_exits(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """The features that each exit reads, in order of execution, and the tail's scores."""
        inside_head, features = self._through("head", x)
        sent = features if self.encoder is None else self.encoder(features)
        inside_tail, scores = self._through("tail", sent)
        return [*inside_head, features, *inside_tail], scores

    def backbone(self) -> nn.Sequential:
        """Head, encoder and tail as one chain, with the same modules."""
        return nn.Sequential(*(part for part in (self.head, self.encoder, self.tail) if part is not None))

    def _through(self, name: str, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What the inner exits of head or tail read, and what the part gives."""
        part: nn.Module = getattr(self, name)
        places = [_split_name(inner) for inner in self.inner_exits]
        after = {n for place, n in places if place == name}
        if not after:
            return [], part(x)
        read = []
        for n, (_, layer) in enumerate(leaves(name, part), start=1):
            x = layer(x)
            if n in after:
                read.append(x)
        return read, x


def _split_name(name: str) -> tuple[str, int]:
    place, _, n = name.partition("-")
    return place, int(n)


def place_of(name: str, head: nn.Module, tail: nn.Module) -> tuple[str, int]:
    """Place and number of layers in the name of an inner exit; their order is that of execution.

    Raises:
        ConfigError: it is no such name, or there is no layer in the part after it.
    """
    if not re.fullmatch("(head|tail)-[1-9][0-9]*", name):
        raise ConfigError(
            f"inner exit {name!r} is no place; write head-<n> or tail-<n> for one after n layers"
        )
    place, n = _split_name(name)
    n_layers = len(list(leaves(place, head if place == "head" else tail)))
    if n >= n_layers:
        raise ConfigError(
            f"inner exit {name!r} must have layers after it in a {place} of {n_layers}, ReLU counted; "
            + (f"give {place}-1 to {place}-{n_layers - 1}" if n_layers > 1 else "leave it out")
        )
    return place, n
