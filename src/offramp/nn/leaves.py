"""The layers inside nested containers, as a bundle counts them."""

from collections.abc import Iterator

from torch import nn


def leaves(path: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers inside nested `nn.Sequential`s, in order, each with its path."""
    if isinstance(module, nn.Sequential):
        for index, child in enumerate(module):  # named_children() would name a ReLU used twice only once
            yield from leaves(f"{path}.{index}", child)
    else:
        yield path, module
