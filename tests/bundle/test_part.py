import copy
import hashlib
import json
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.bundle import LinearLayer, Part, ReluLayer, SparseLinearLayer
from offramp.errors import BundleError
from offramp.pattern import Pattern


@pytest.fixture
def head(workshop):
    return workshop.build().head


def test_a_part_knows_its_widths_and_what_it_costs(workshop):
    tail = workshop.build(hidden=4).tail
    assert (tail.n_in, tail.n_out) == (8, 3)
    assert tail.n_macs == 8 * 2 + 4 * 3
    assert tail.n_parameters == tail.n_macs + 4 + 3


def test_biases_that_are_not_there_are_not_counted(workshop):
    tail = workshop.build(hidden=4, bias=False).tail
    assert tail.n_parameters == tail.n_macs


def test_the_digest_is_the_documented_one_on_every_machine():
    made = Pattern.from_table(4, 2, np.array([[0, 1], [2, 3]]))
    layers = (
        SparseLinearLayer(4, 2, 1, (1, 1), True, made.digest()),
        ReluLayer(),
        LinearLayer(2, 2, False),
    )
    arrays = {
        "0.weight": np.arange(4, dtype=np.float32).reshape(2, 2, 1) / 8,
        "0.table": made.table,
        "0.bias": np.array([-1, 0.5], np.float32),
        "2.weight": np.array([[1, 2], [3, 4]], np.float32),
    }
    documented = [
        {
            "kind": "sparse_linear",
            "n_in": 4,
            "n_out": 2,
            "out_degree": 1,
            "block": [1, 1],
            "bias": True,
            "pattern_digest": made.digest(),
        },
        {"kind": "relu"},
        {"kind": "linear", "n_in": 2, "n_out": 2, "bias": False},
    ]
    form = (
        b"offramp part 1\n" + json.dumps(documented, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    )
    form += struct.pack("<4f4i2f4f", *(0, 0.125, 0.25, 0.375), *(0, 1, 2, 3), *(-1, 0.5), *(1, 2, 3, 4))
    golden = "2c927c015ca5efbe561d7254eafda8b1a0b7015ef597c1d032b66cb8eb7c0595"
    assert Part(layers, arrays).digest == hashlib.sha256(form).hexdigest() == golden


@given(seed=st.integers(0, 50), other=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_parts_are_equal_when_their_content_is(workshop, seed, other):
    one, two = workshop.build(seed).head, workshop.build(other).head
    assert (one == two) == (seed == other)
    assert (one.digest == two.digest) == (seed == other)
    assert one != "head"


def test_any_changed_value_changes_the_digest(head):
    for name, array in head.arrays.items():
        if name.endswith("table"):
            continue
        changed = array.copy()
        changed.flat[-1] += 1
        assert Part(head.layers, {**head.arrays, name: changed}).digest != head.digest


def test_a_part_does_not_change_when_the_callers_arrays_do(head):
    weight = head.arrays["0.weight"].copy()
    part = Part(head.layers, {**head.arrays, "0.weight": weight})
    weight[:] = 0
    assert part == head
    with pytest.raises(ValueError, match="read-only"):
        part.arrays["0.weight"][:] = 0


def test_arrays_in_another_memory_order_are_the_same_part(head):
    fortran = np.asfortranarray(head.arrays["0.weight"])
    part = Part(head.layers, {**head.arrays, "0.weight": fortran})
    assert part == head
    assert part.arrays["0.weight"].flags.c_contiguous


def test_a_part_can_be_copied_and_sent_to_another_process(head):
    assert copy.deepcopy(head) == head
    assert pickle.loads(pickle.dumps(head)) == head
    assert len({head, copy.copy(head)}) == 1


def bad_parts(head):
    arrays, layer = dict(head.arrays), head.layers[0]
    table, weight = arrays["0.table"], arrays["0.weight"]
    without_bias = {name: array for name, array in arrays.items() if name != "0.bias"}
    nan = weight.copy()
    nan.flat[3] = np.nan
    twice, outside, shuffled = table.copy(), table.copy(), table.copy()
    twice[0, 1], outside[0, 0] = twice[0, 0], 99
    shuffled[0] = shuffled[0, ::-1]
    renamed = SparseLinearLayer(*(getattr(layer, name) for name in layer.__struct_fields__[:-1]), "0" * 64)
    return {
        "a missing array": (head.layers, without_bias, "arrays missing: 0.bias; superfluous: none"),
        "a superfluous array": (
            head.layers,
            arrays | {"1.bias": weight},
            "missing: none; superfluous: 1.bias; these layers own exactly 0.weight, 0.table, 0.bias",
        ),
        "a wrong shape": (
            head.layers,
            arrays | {"0.weight": weight[:1]},
            r"array 0.weight is float32 \(1, 2, 2\); its layer needs float32 \(8, 2, 2\)",
        ),
        "a wrong type": (
            head.layers,
            arrays | {"0.bias": np.zeros(8)},
            "array 0.bias is float64 .*needs float32",
        ),
        "a number that is none": (
            head.layers,
            arrays | {"0.weight": nan},
            "array 0.weight holds NaN or infinity",
        ),
        "an edge twice": (head.layers, arrays | {"0.table": twice}, "array 0.table is no pattern: .*twice"),
        "an edge from outside": (head.layers, arrays | {"0.table": outside}, "0.table is no pattern: .*99"),
        "a row out of order": (head.layers, arrays | {"0.table": shuffled}, "0.table has a row out of order"),
        "another pattern": (
            (renamed, *head.layers[1:]),
            arrays,
            "0.table holds pattern [0-9a-f]{12}, its layer names 000000000000; .*trained with",
        ),
        "no junction": ((ReluLayer(),), {}, "1 layers and no junction among them"),
        "no layers": ((), {}, "0 layers and no junction among them"),
        "layers that do not chain": (
            (LinearLayer(4, 3, False), ReluLayer(), LinearLayer(5, 2, False)),
            {},
            "layer 0 gives 3 values and layer 2 takes 5; they must be equal",
        ),
    }


@pytest.mark.parametrize("case", [
    "a missing array", "a superfluous array", "a wrong shape", "a wrong type", "a number that is none",
    "an edge twice", "an edge from outside", "a row out of order", "another pattern", "no junction",
    "no layers", "layers that do not chain",
])  # fmt: skip
def test_a_part_whose_layers_and_arrays_do_not_fit_is_refused(head, case):
    layers, arrays, message = bad_parts(head)[case]
    with pytest.raises(BundleError, match=message):
        Part(layers, arrays)
