"""A network in training sees the bits that a codec will give."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from offramp.codec import arrived, fit_codec
from offramp.nn.fake_quantise import FakeQuantise

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
