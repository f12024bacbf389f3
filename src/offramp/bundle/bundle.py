"""A trained split network with everything that using it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from offramp.bundle.layers import Layer, width_after, widths
from offramp.bundle.names import Place, inner_name, inner_place
from offramp.bundle.part import Part
from offramp.bundle.preprocessing import Preprocessing
from offramp.bundle.quantisation import Quantisation, check_quantisation
from offramp.codec import Codec, FloatCodec
from offramp.errors import BundleError, ConfigError
from offramp.exits import ExitRule

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class InnerExit:
    """An exit inside the head, or inside the tail, after the first `after` layers of it (ReLU counted)."""

    place: Place
    after: int
    part: Part
    rule: ExitRule

    @property
    def name(self) -> str:
        """As a part of the bundle: "exit-head-2"."""
        return inner_name(self.place, self.after)


@dataclass(frozen=True)
class Bundle:
    """Head, exit and tail (None where a side was not given one) and what they were trained for.

    Args:
        name: names the network's models on a server: a letter or digit, then up to 99 letters, digits, "._-".
        preprocessing: from raw samples to the head's inputs.
        classes: a name for each score.
        head, exit, tail: one of them at least.
        exit_rule: when the exit answers, and the evidence for it.
        codec: how features cross the wire.
        training: recipe, seed, history summary: JSON values only.
        head_digest: of the head that exit and tail belong to; taken from the head where it is given.
        encoder: from the head's features to what is coded and sent, where the network has a bottleneck; the
            tail begins with its decoder.
        encoder_digest: of the encoder that the tail belongs to, "" for none; taken from the encoder where it
            is given.
        inner_exits: exits before the cut, in the head, and behind it, in the tail.
        quantisation: for devices that compute with integers.

    Raises:
        BundleError: parts that do not fit each other, the preprocessing, the classes, the codec or the
            quantisation.
    """

    name: str
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    head: Part | None
    exit: Part | None
    tail: Part | None
    exit_rule: ExitRule
    codec: Codec = field(default_factory=FloatCodec)
    training: dict[str, Any] = field(default_factory=dict)
    head_digest: str = ""
    encoder: Part | None = None
    encoder_digest: str = ""
    inner_exits: tuple[InnerExit, ...] = ()
    quantisation: Quantisation | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BundleError(
                f"bundle name {self.name!r}; give a letter or digit, then up to 99 of letters, digits, '._-'"
            )
        if not self.parts:
            raise BundleError("a bundle of no parts; give a head, an exit or a tail")
        for name, part in (("head", self.head), ("encoder", self.encoder)):
            self._take_digest(name, part)
        if not self.head_digest:
            raise BundleError("head_digest ''; without a head, give the 64 hex digits of its digest")
        self._sort_inner_exits()
        layers = {name: part.layers for name, part in self.parts.items()}
        check_fit(
            self.preprocessing,
            self.classes,
            layers,
            codec=self.codec,
            encoder=self.encoder_digest,
            quantisation=self.quantisation,
        )
        of_integers = [] if self.quantisation is None else [self.quantisation.rule]
        for rule in (self.exit_rule, *(one.rule for one in self.inner_exits), *of_integers):
            if len(rule.weights) not in (0, len(self.classes) + 1):
                raise BundleError(
                    f"an exit rule with {len(rule.weights)} weights for {len(self.classes)} classes; give one"
                    " for each and a constant"
                )

    def _take_digest(self, name: str, part: Part | None) -> None:
        given: str = getattr(self, f"{name}_digest")
        if given and not _DIGEST.fullmatch(given):
            raise BundleError(f"{name}_digest {given!r}; give the 64 hex digits of its digest")
        if part is None:
            return
        if given not in ("", part.digest):
            raise BundleError(
                f"the {name}'s digest is {part.digest[:12]}, but the other parts belong to {name}"
                f" {given[:12]}; take all parts from one training"
            )
        object.__setattr__(self, f"{name}_digest", part.digest)

    def _sort_inner_exits(self) -> None:
        inner = tuple(sorted(self.inner_exits, key=lambda one: (one.place, one.after)))
        names = [one.name for one in inner]
        if len(set(names)) < len(names):
            raise BundleError(f"inner exits {', '.join(names)}; give at most one for each place")
        object.__setattr__(self, "inner_exits", inner)

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that are here, by name, in order of execution."""
        inner = {
            place: {one.name: one.part for one in self.inner_exits if one.place == place}
            for place in ("head", "tail")
        }
        candidates: dict[str, Part | None] = {
            "head": self.head,
            **inner["head"],
            "exit": self.exit,
            "encoder": self.encoder,
            "tail": self.tail,
            **inner["tail"],
        }
        return {name: part for name, part in candidates.items() if part is not None}

    @property
    def features_digest(self) -> str:
        """What an offload carries: the head's digest, with an encoder one of both."""
        return features_digest(self.head_digest, self.encoder_digest)

    @property
    def n_sent(self) -> int:
        """Values that cross the wire for one sample.

        Raises:
            BundleError: no part that is here tells.
        """
        n_in = {name: part.n_in for name, part in self.parts.items()}
        n_out = {name: part.n_out for name, part in self.parts.items()}
        width = width_sent(n_in, n_out, encoder=bool(self.encoder_digest))
        if width is None:
            raise BundleError(f"bundle {self.name!r} has no part that reads or writes what is sent")
        return width

    def exits(self, place: Place) -> tuple[InnerExit, ...]:
        """The inner exits of head or tail, in order of execution."""
        return tuple(one for one in self.inner_exits if one.place == place)


def features_digest(head_digest: str, encoder_digest: str) -> str:
    """The digest of whatever makes the features that are sent; `encoder_digest` is "" for no encoder."""
    if not encoder_digest:
        return head_digest
    both = f"offramp head and encoder 1\n{head_digest}\n{encoder_digest}\n"
    return sha256(both.encode()).hexdigest()


def inner_exits(parts: Mapping[str, Part], rule: ExitRule) -> tuple[InnerExit, ...]:
    """Those of the parts that are inner exits, by their names, with one rule for all."""
    places = {name: inner_place(name) for name in parts}
    return tuple(InnerExit(*place, parts[name], rule) for name, place in places.items() if place is not None)


def check_fit(
    preprocessing: Preprocessing,
    classes: Sequence[str],
    parts: Mapping[str, Sequence[Layer]],
    *,
    codec: Codec,
    encoder: str,
    quantisation: Quantisation | None = None,
) -> None:
    """Raise BundleError unless these parts chain with each other and fit all the rest.

    Args:
        encoder: digest of the encoder that the network has, present or not; "" for none.
    """
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
    _check_cut(n_in, n_out, encoder=bool(encoder))
    _check_inner(parts, n_in)
    for name in parts:
        if name not in ("head", "encoder") and n_out[name] != len(classes):
            raise BundleError(
                f"the {name} gives {n_out[name]} scores for {len(classes)} classes; give one for each"
            )
    if sent := width_sent(n_in, n_out, encoder=bool(encoder)):
        try:
            codec.max_bytes(sent)
        except ConfigError as error:
            raise BundleError(str(error)) from error
    if quantisation is not None:
        check_quantisation(quantisation, preprocessing, parts, codec=codec, encoder=bool(encoder))


def _check_cut(n_in: Mapping[str, int], n_out: Mapping[str, int], *, encoder: bool) -> None:
    """What stands at the cut: head, exit, encoder and tail."""
    if "encoder" in n_in and not encoder:
        raise BundleError("an encoder without its digest; give encoder_digest")
    at_the_cut = ("exit", "encoder") if encoder else ("exit", "tail")
    features = {n_out["head"]} if "head" in n_out else set()
    features |= {n_in[name] for name in at_the_cut if name in n_in}
    if len(features) > 1:
        raise BundleError(
            f"the head gives {n_out.get('head')} features, {at_the_cut[0]} and {at_the_cut[1]} take"
            f" {n_in.get(at_the_cut[0])} and {n_in.get(at_the_cut[1])}; they must be equal"
        )
    if {"encoder", "tail"} <= n_in.keys() and n_out["encoder"] != n_in["tail"]:
        raise BundleError(
            f"the encoder gives {n_out['encoder']} values, the tail takes {n_in['tail']}; they must be equal"
        )


def _check_inner(parts: Mapping[str, Sequence[Layer]], n_in: Mapping[str, int]) -> None:
    """Inner exits stand inside their part, and take what it has there."""
    for name in parts:
        where = inner_place(name)
        if where is None or where[0] not in parts:
            continue
        place, after = where
        layers = parts[place]
        if after >= len(layers):
            raise BundleError(
                f"{name} stands after {after} layers of the {place}, which has {len(layers)}; an inner exit"
                " stands before the last one"
            )
        width = width_after(layers, after)
        if n_in[name] != width:
            raise BundleError(
                f"{name} takes {n_in[name]} values, the {place} has {width} there; they must be equal"
            )


def width_sent(n_in: Mapping[str, int], n_out: Mapping[str, int], *, encoder: bool) -> int | None:
    """Values that cross the wire, None where no part that is here tells."""
    candidates = [n_in.get("tail"), n_out.get("encoder")]
    if not encoder:
        candidates += [n_out.get("head"), n_in.get("exit")]
    return next((width for width in candidates if width), None)


def _shortened(classes: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:20]) for name in classes[:5])
    return f"({shown}{', ...' if len(classes) > 5 else ''})"
