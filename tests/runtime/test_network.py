import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import SparseLinearLayer
from offramp.errors import DataError
from offramp.kernels import reference
from offramp.runtime import Network


def by_hand(part, x):
    """The part in NumPy and float64, and its multiply-adds as counted by shape."""
    x = x.astype(np.float64)
    n_macs = 0
    for i, layer in enumerate(part.layers):
        arrays = {name.split(".")[1]: a for name, a in part.arrays.items() if name.startswith(f"{i}.")}
        if not arrays:
            x = np.where(x > 0, x, 0)
            continue
        bias = arrays.get("bias", np.zeros(layer.n_out)).astype(np.float64)
        weight = arrays["weight"].astype(np.float64)
        if isinstance(layer, SparseLinearLayer):
            x = reference.forward(x, weight, arrays["table"], bias, block=layer.block)
            n_macs += layer.n_in * layer.out_degree
        else:
            x = (x[:, None, :] * weight).sum(axis=2) + bias
            n_macs += layer.n_in * layer.n_out
    return x, n_macs


@pytest.mark.parametrize("name", ["head", "exit", "tail"])
@given(n=st.integers(0, 5), seed=st.integers(0, 1000))
def test_a_part_computes_what_its_layers_say(bundle, name, n, seed):
    part = bundle.parts[name]
    x = np.random.default_rng(seed).standard_normal((n, part.n_in), dtype=np.float32)
    expected, n_macs = by_hand(part, x)
    network = Network(part)
    y = network(x)
    assert (y.dtype, y.shape) == (np.float32, (n, part.n_out))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    assert network.n_macs == n_macs == part.n_macs


@pytest.mark.parametrize("cut", range(6))
def test_layers_of_a_part_are_the_part_in_pieces(workshop, cut):
    part = workshop.bundle_with_inner_exits().tail
    x = np.random.default_rng(cut).standard_normal((20, part.n_in), dtype=np.float32)
    first, second = Network(part, stop=cut), Network(part, start=cut)
    assert first.n_out == second.n_in
    np.testing.assert_array_equal(second(first(x)), Network(part)(x))
    assert first.n_macs + second.n_macs == part.n_macs


def test_absent_edges_cost_nothing(bundle):
    head = Network(bundle.head)
    assert head.n_macs == 16 * 4 < head.n_in * head.n_out


def test_calls_from_several_threads_do_not_disturb_each_other(bundle):
    network = Network(bundle.tail)
    x = np.random.default_rng(0).standard_normal((200, 8), dtype=np.float32)
    expected = [network(row[None]) for row in x]  # the batch size may change the order of sums
    wrong = []

    def work(offset):
        mine = range(offset, 200, 4)
        wrong.extend(i for i in mine if not np.array_equal(network(x[i : i + 1]), expected[i]))

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_inputs_of_another_width_are_refused(bundle):
    with pytest.raises(DataError, match=r"inputs of shape \(1, 9\); this network reads \(batch, 8\)"):
        Network(bundle.tail)(np.zeros((1, 9), np.float32))


def test_an_overflow_is_infinite_or_nan_and_no_warning(bundle):
    huge = np.full((1, 8), sys.float_info.max).astype(np.float64)
    y = Network(bundle.exit)(np.clip(huge, 0, 3e38).astype(np.float32))
    assert not np.isfinite(y).all()
