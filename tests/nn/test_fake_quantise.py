"""A network in training sees the bits that a codec will give."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from offramp.codec import Grid, arrived, fit_codec
from offramp.int8 import Values, integer_junctions
from offramp.nn import SparseLinear
from offramp.nn.fake_quantise import FakeQuantise, RoundedWeights
from offramp.nn.parts import to_part

FEATURES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(2, 6), st.just(3)),
    elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
)


@pytest.mark.parametrize(("name", "bits"), [("int4", 4), ("int8", 8)])
@given(fitted_to=FEATURES, x=FEATURES)
def test_it_gives_the_bits_of_the_codec(
    name: str, bits: int, fitted_to: npt.NDArray[np.float32], x: npt.NDArray[np.float32]
) -> None:
    codec = fit_codec(name, fitted_to)
    parameters = codec.parameters()
    fake = FakeQuantise(3, bits)
    fake.fit_to(torch.tensor(parameters["low"]), torch.tensor(parameters["step"]))
    seen = fake(torch.from_numpy(np.concatenate([x, fitted_to])))
    assert seen.numpy().tobytes() == arrived(codec, np.concatenate([x, fitted_to])).tobytes()


def test_gradients_pass_where_a_feature_is_within_its_levels() -> None:
    fake = FakeQuantise(2, 4)
    fake.fit_to(torch.tensor([-1.0, 0.0]), torch.tensor([0.5, 2.0]))  # to 6.5, and to 30
    x = torch.tensor([[-1.0, 0.0], [-1.1, -0.1], [6.5, 30.0], [6.6, 30.1], [0.3, 17.0]], requires_grad=True)
    y = fake(x)
    assert y.tolist()[-1] == [0.5, 16.0]  # 8.5 steps: to the even level
    (2 * y).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[2, 2], [0, 0], [2, 2], [0, 0], [2, 2]]


def test_levels_are_saved_with_the_network_and_are_not_trained() -> None:
    fake = FakeQuantise(2, 8)
    assert list(fake.state_dict()) == ["low", "step"]
    assert not list(fake.parameters())
    assert repr(fake) == "FakeQuantise(2, bits=8)"


@given(st.integers(0, 999), st.sampled_from([None, (1, 1), (2, 1), (1, 4), (4, 2)]), st.booleans())
def test_weights_are_rounded_as_the_integer_device_rounds_them(
    seed: int, block: tuple[int, int] | None, one_unit: bool
) -> None:
    torch.manual_seed(seed)
    layer: SparseLinear | nn.Linear = nn.Linear(8, 8)
    if block is not None:
        layer = SparseLinear(8, 8, out_degree=4, pattern="block", block=block, seed=seed)
    nn.init.normal_(layer.bias)  # type: ignore[arg-type]
    step = np.random.default_rng(seed).uniform(0.01, 1, 8).astype(np.float32)
    fake = RoundedWeights(layer, one_unit=one_unit)
    fake.inputs_are_worth(torch.from_numpy(step))
    grid = None if one_unit else Grid(8, (0.0,) * 8, (100.0,) * 8)
    (junction,) = integer_junctions(
        "part",
        to_part(layer, name="part"),
        Values(np.zeros(8), step.astype(np.float64)),
        () if grid is None else (grid,),
        scores=one_unit,
    )
    weights = junction.rows * junction.unit[:, None] / step[junction.inputs].repeat(junction.block[1], 0)
    x = torch.eye(8)
    assert layer.bias is not None
    outputs = (fake(x) - layer.bias).detach().numpy().T  # (outputs, inputs): the weights, and 0 for no edge
    rounded = np.take_along_axis(outputs, junction.inputs.repeat(junction.block[1], 0), axis=1)
    np.testing.assert_allclose(rounded, weights, rtol=1e-4, atol=1e-6)


def test_gradients_pass_straight_through_rounded_weights() -> None:
    layer = nn.Linear(4, 3)
    fake = RoundedWeights(layer)
    assert not torch.equal(fake.weight, layer.weight)
    fake(torch.ones(1, 4)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[1.0] * 4] * 3


def test_inputs_that_are_always_0_leave_their_weights_alone() -> None:
    layer = nn.Linear(4, 3)
    fake = RoundedWeights(layer)
    fake.inputs_are_worth(torch.tensor([0.5, 0.0, 0.5, 0.0]))
    rounded = fake.weight
    assert torch.equal(rounded[:, 1::2], layer.weight[:, 1::2])
    assert not torch.equal(rounded[:, ::2], layer.weight[:, ::2])
