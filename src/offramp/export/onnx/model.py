"""The parts of a bundle as models of ONNX, and the whole of it as one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from offramp.bundle import HEAD_DIGEST_KEY, Bundle, Part, Place
from offramp.errors import ConfigError
from offramp.export.onnx.exits import Verdict, finite, only
from offramp.export.onnx.graph import Graph
from offramp.export.onnx.integer_device import add_integer_device
from offramp.export.onnx.layers import add_layers
from offramp.export.onnx.passage import Way, add_inputs, add_way, ways
from offramp.export.onnx.whole import add_whole, answerers

if TYPE_CHECKING:
    from onnx import ModelProto

FEATURES = "features"


class _Recipe(NamedTuple):
    """The parts that a model takes, and what adds it to a graph."""

    parts: list[str]
    add: Callable[[Graph], None]


def onnx_models(bundle: Bundle) -> dict[str, ModelProto]:
    """The models that the parts here suffice for, by name; docs/formats/onnx.md has what they read and give.

    Raises:
        ConfigError: they suffice for none.
        MissingDependencyError: onnx is not installed.
    """
    names = [name for name, missing in missing_parts(bundle).items() if not missing]
    if not names:
        raise ConfigError(
            f"bundle {bundle.name!r} has nothing that is a model by itself; copy head, exit or tail into it"
        )
    return {name: _model(bundle, name) for name in names}


def missing_parts(bundle: Bundle) -> dict[str, list[str]]:
    """Every model of a bundle, by name, and the parts that it would take and that are not here."""
    recipes = _recipes(bundle).items()
    return {name: [part for part in recipe.parts if part not in bundle.parts] for name, recipe in recipes}


def onnx_tail_model(bundle: Bundle) -> ModelProto:
    """The tail: features FP32 [n, n_features] -> scores FP32 [n, n_classes].

    Inner exits of the tail are left out: every row goes through all of it.

    Raises:
        ConfigError: the bundle has no tail here.
        MissingDependencyError: onnx is not installed.
    """
    if bundle.tail is None:
        raise ConfigError(f"bundle {bundle.name!r} has no tail to export; copy tail.safetensors into it")
    return _model(bundle, "tail")


def onnx_device_model(bundle: Bundle, *, activations: bool = False) -> ModelProto:
    """Head, exit and encoder in integers as one model, bit for bit what docs/formats/int8.md says.

    Args:
        bundle: with a quantisation; docs/formats/onnx.md has what the model reads and gives.
        activations: whether the symbols of all junctions leave too.

    Raises:
        ConfigError: a part that is not here, inner exits, or a bundle that is not quantised.
        MissingDependencyError: onnx is not installed.
    """
    graph = Graph()
    add_integer_device(graph, bundle, activations=activations)
    return graph.model(f"{bundle.name}.device", words_of(bundle))


def to_onnx(
    part: Part, *, name: str, reads: str, writes: str, words: Mapping[str, str] | None = None
) -> ModelProto:
    """A part with one input `reads`, FP32 [n, n_in], and one output `writes`, FP32 [n, n_out].

    It computes what `runtime.Network` does, in another order of sums: equal to the last places of float32.

    Args:
        name: of the graph.
        words: the model's metadata.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    graph = Graph()
    x = graph.input(reads, np.float32, part.n_in)
    graph.output(add_layers(graph, name, part, x), writes, np.float32, part.n_out)
    return graph.model(name, words or {})


def words_of(bundle: Bundle) -> dict[str, str]:
    """What every model says of the bundle that it is from."""
    return {
        HEAD_DIGEST_KEY: bundle.features_digest,
        "offramp.codec": bundle.codec.name,
        "offramp.codec_digest": bundle.codec.digest,
        "offramp.classes": json.dumps(bundle.classes),
    }


def _model(bundle: Bundle, name: str) -> ModelProto:
    """One of the models, whose parts are here."""
    graph, words = Graph(), words_of(bundle)
    _recipes(bundle)[name].add(graph)
    if name == "whole":
        words["offramp.answerers"] = json.dumps(answerers(bundle))
    return graph.model(f"{bundle.name}.{name}", words)


def _recipes(bundle: Bundle) -> dict[str, _Recipe]:
    """By the model's name."""

    def inner(place: Place) -> dict[str, _Recipe]:
        return {
            one.name: _Recipe([place], partial(_add_exit, bundle=bundle, place=place, way=one))
            for one in ways(bundle, place)
            if one.name != "exit"
        }

    encoder = ["encoder"] if bundle.encoder_digest else []
    return {
        "head": _Recipe(["head"], partial(_add_head, bundle=bundle)),
        **inner("head"),
        "exit": _Recipe(["exit"], partial(_add_exit_at_the_cut, bundle=bundle)),
        **{
            name: _Recipe([name], partial(_add_part, bundle=bundle, name=name, writes="sent"))
            for name in encoder
        },
        "tail": _Recipe(["tail"], partial(_add_part, bundle=bundle, name="tail", writes="scores")),
        **inner("tail"),
        "whole": _Recipe(["head", "exit", *encoder, "tail"], partial(add_whole, bundle=bundle)),
    }


def _add_part(graph: Graph, bundle: Bundle, name: str, writes: str) -> None:
    """A part that reads features, and nothing else."""
    part = bundle.parts[name]
    x = graph.input(FEATURES, np.float32, part.n_in)
    graph.output(add_layers(graph, name, part, x), writes, np.float32, part.n_out)


def _add_head(graph: Graph, bundle: Bundle) -> None:
    """NaN for samples that the preprocessing would refuse: a ReLU might make numbers of them."""
    inputs, part = add_inputs(graph, bundle), bundle.parts["head"]
    x = add_layers(graph, "head", part, inputs)
    graph.output(only(graph, finite(graph, inputs), x), FEATURES, np.float32, part.n_out)


def _add_exit_at_the_cut(graph: Graph, bundle: Bundle) -> None:
    part = bundle.parts["exit"]
    x = graph.input(FEATURES, np.float32, part.n_in)
    _output(graph, bundle, add_way(graph, bundle, Way("exit", 0, part, bundle.exit_rule), x))


def _add_exit(graph: Graph, bundle: Bundle, place: Place, way: Way) -> None:
    """An inner exit, with the layers before it."""
    part = bundle.parts[place]
    inputs = add_inputs(graph, bundle) if place == "head" else graph.input(FEATURES, np.float32, part.n_in)
    verdict = add_way(graph, bundle, way, add_layers(graph, place, part, inputs, stop=way.after))
    sure = graph.node("And", verdict.sure, finite(graph, inputs))
    _output(graph, bundle, verdict._replace(sure=sure))


def _output(graph: Graph, bundle: Bundle, verdict: Verdict) -> None:
    graph.output(verdict.scores, "scores", np.float32, len(bundle.classes))
    graph.output(verdict.confidence, "confidence", np.float64)
    graph.output(verdict.sure, "sure", np.bool_)
