"""What C cannot have is refused in one line."""

from dataclasses import replace

import pytest

from offramp.bundle import InnerExit, ReluLayer
from offramp.errors import ConfigError
from offramp.experiments.verified import CASES, network
from offramp.export.c import program

BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def encoded():
    return network(BY_NAME["encoder"])


def choose(shape):
    return BY_NAME["encoder"].choose(shape)


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        (("head",), "head"),
        (("exit", "encoder"), "exit and no encoder"),
        (("tail",), "tail"),
    ],
)
def test_a_part_that_is_not_here_is_named(encoded, absent, named):
    bundle = replace(encoded, **dict.fromkeys(absent))
    line = f"bundle 'encoder' has no {named} here; copy its file into the folder"
    with pytest.raises(ConfigError, match=f"^{line}$"):
        program(bundle, "int8", choose, tail=True)


def test_a_tail_that_is_not_asked_for_need_not_be_here(encoded):
    assert "tail" not in program(replace(encoded, tail=None), "int8", choose).parts


def test_an_exit_inside_the_head_is_refused():
    bundle = network(BY_NAME["pushed"])
    part = replace(bundle, head=None).exit
    inner = InnerExit("head", 2, replace_exit(part, bundle), bundle.exit_rule)
    with pytest.raises(ConfigError, match=r"^unsupported layer: exit-head-2, an exit inside the head; .*"):
        program(replace(bundle, inner_exits=(inner,)), "float32", choose)


def replace_exit(part, bundle):
    """An exit for what the head has after its first junction."""
    width = bundle.head.layers[0].n_out
    layer = replace_width(part.layers[0], width)
    weight = part.arrays["0.weight"][:, :1].repeat(width, axis=1)
    return type(part)((layer,), {"0.weight": weight, "0.bias": part.arrays["0.bias"]})


def replace_width(layer, n_in):
    return type(layer)(n_in, layer.n_out, layer.bias)


def test_a_relu_that_follows_no_junction_is_refused(encoded):
    part = encoded.exit
    bundle = replace(encoded, exit=type(part)((ReluLayer(), *part.layers), shifted(part)))
    with pytest.raises(ConfigError, match=r"^unsupported layer: exit has a ReLU at 0 that follows no"):
        program(bundle, "float32", choose)


def shifted(part):
    return {f"{int(name[0]) + 1}{name[1:]}": array for name, array in part.arrays.items()}


def test_a_bundle_that_is_not_quantised_has_no_form_in_integers(encoded):
    bundle = replace(encoded, quantisation=None)
    with pytest.raises(ConfigError, match=r"^bundle 'encoder' is not quantised; run: offramp quantise"):
        program(bundle, "int8", choose)
    assert program(bundle, "float32", choose).numbers == "float32"


@pytest.mark.parametrize(("name", "prefix"), [("Line-3.b", "line_3_b"), ("3d", "n3d"), ("m", "m")])
def test_a_name_becomes_an_identifier(encoded, name, prefix):
    assert program(replace(encoded, name=name), "int8", choose).prefix == prefix
