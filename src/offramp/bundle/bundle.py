"""A trained split network with everything that using it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from offramp.bundle.layers import Layer, widths
from offramp.bundle.part import Part
from offramp.bundle.preprocessing import Preprocessing
from offramp.codec import CODECS
from offramp.errors import BundleError
from offramp.exits import ExitRule

PartName = Literal["head", "exit", "tail"]
PARTS: tuple[PartName, ...] = ("head", "exit", "tail")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Bundle:
    """Head, exit and tail (None where a side was not given one) and what they were trained for.

    Args:
        name: names the network's models on a server: a letter or digit, then up to 99 letters, digits, "._-".
        preprocessing: from raw samples to the head's inputs.
        classes: a name for each score.
        head, exit, tail: one of them at least.
        exit_rule: when the exit answers, and the evidence for it.
        codec: how features cross the wire, one of `offramp.codec.CODECS`.
        training: recipe, seed, history summary: JSON values only.
        head_digest: of the head that exit and tail belong to; taken from the head where it is given.

    Raises:
        BundleError: parts that do not fit each other, the preprocessing or the classes.
    """

    name: str
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    head: Part | None
    exit: Part | None
    tail: Part | None
    exit_rule: ExitRule
    codec: str = "float32"
    training: dict[str, Any] = field(default_factory=dict)
    head_digest: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BundleError(
                f"bundle name {self.name!r}; give a letter or digit, then up to 99 of letters, digits, '._-'"
            )
        if self.codec not in CODECS:
            raise BundleError(f"unknown codec {self.codec!r}; use one of {', '.join(CODECS)}")
        if not self.parts:
            raise BundleError("a bundle of no parts; give a head, an exit or a tail")
        check_fit(self.preprocessing, self.classes, {name: part.layers for name, part in self.parts.items()})
        if self.head is not None and self.head_digest not in ("", self.head.digest):
            raise BundleError(
                f"the head's digest is {self.head.digest[:12]}, but exit and tail belong to head"
                f" {self.head_digest[:12]}; take the three parts from one training"
            )
        digest = self.head.digest if self.head is not None else self.head_digest
        if not _DIGEST.fullmatch(digest):
            raise BundleError(f"head_digest {digest!r}; without a head, give the 64 hex digits of its digest")
        object.__setattr__(self, "head_digest", digest)

    @property
    def parts(self) -> dict[PartName, Part]:
        """The parts that are here, by name, head first."""
        candidates: dict[PartName, Part | None] = {"head": self.head, "exit": self.exit, "tail": self.tail}
        return {name: part for name, part in candidates.items() if part is not None}


def check_fit(
    preprocessing: Preprocessing, classes: Sequence[str], parts: Mapping[PartName, Sequence[Layer]]
) -> None:
    """Raise BundleError unless these parts chain with each other, the preprocessing and the classes."""
    if len(classes) < 2 or len(set(classes)) != len(classes) or not all(classes):
        raise BundleError(f"classes {_shortened(classes)}; give two names or more, all different, none empty")
    n_in, n_out = {}, {}
    for name, layers in parts.items():
        try:
            n_in[name], n_out[name] = widths(layers)
        except BundleError as error:
            raise BundleError(f"{name}: {error}") from error
    if n_in.get("head", preprocessing.n_features) != preprocessing.n_features:
        raise BundleError(
            f"the head takes {n_in['head']} values and the preprocessing gives {preprocessing.n_features};"
            " they must be equal, see pad_to"
        )
    features = {n_out["head"]} if "head" in parts else set()
    features |= {n_in[name] for name in ("exit", "tail") if name in parts}
    if len(features) > 1:
        raise BundleError(
            f"the head gives {n_out.get('head')} features, exit and tail take {n_in.get('exit')} and"
            f" {n_in.get('tail')}; they must be equal"
        )
    for name in ("exit", "tail"):
        if name in parts and n_out[name] != len(classes):
            raise BundleError(
                f"the {name} gives {n_out[name]} scores for {len(classes)} classes; give one for each"
            )


def _shortened(classes: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:20]) for name in classes[:5])
    return f"({shown}{', ...' if len(classes) > 5 else ''})"
