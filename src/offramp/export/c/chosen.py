"""A program with the encodings that cost least on a target."""

from __future__ import annotations

from offramp.bundle import Bundle
from offramp.export.c.costs import Prefer, Priced, by_input, cheapest, check_target, choose, chooser
from offramp.export.c.program import Numbers, Program, program


def chosen_program(
    bundle: Bundle,
    numbers: Numbers,
    *,
    target: str,
    prefer: Prefer = "size",
    streaming: bool | None = None,
    tail: bool = False,
) -> Program:
    """A bundle's device for a target.

    Args:
        bundle: with a head; for int8 with its quantisation.
        prefer: whether flash or time decides.
        streaming: whether the first junction is computed input by input; None for what costs less.
        tail: whether the tail, in float32, is to be on the device too.

    Raises:
        ConfigError: an unknown target, a part that is not here, or layers that C knows nothing of.
    """
    check_target(target)
    choice = chooser(target, prefer=prefer)
    if streaming is not None:
        return program(bundle, numbers, choice, streaming=streaming, tail=tail)
    made = program(bundle, numbers, choice, streaming=True, tail=tail)
    assert made.streamed is not None
    ways: list[Priced] = [
        choose(made.parts["head"][0].shape, target=target, prefer=prefer),
        by_input(made.streamed, target=target, zero_share=zero_share(bundle)),
    ]
    if cheapest(ways, prefer).encoding is None:
        return made
    return program(bundle, numbers, choice, tail=tail)


def zero_share(bundle: Bundle) -> float:
    """Of the head's inputs, as the quantisation saw them; 0 where it does not say."""
    share = bundle.quantisation.evidence.get("zero_inputs", 0.0) if bundle.quantisation else 0.0
    return float(share) if isinstance(share, int | float) else 0.0
