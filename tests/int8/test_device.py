"""The device in integers stays near the float32 one, and what it sends is a symbol of the codec."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from tests.int8.networks import bundles, samples_for

from offramp.codec import GriddedCodec
from offramp.errors import ConfigError
from offramp.int8 import IntegerDevice
from offramp.runtime import edge_scores


@settings(max_examples=15)
@given(bundles())
def test_integers_are_near_the_float32_device(bundle):
    device, raw = IntegerDevice(bundle), samples_for(bundle.preprocessing)
    trace = device.trace(raw)
    exits, sent = edge_scores(bundle, raw)
    ours = device.values(trace.sent)
    bits = bundle.codec.grid.bits if isinstance(bundle.codec, GriddedCodec) else 8
    spread = np.ptp(sent, axis=0).max() + 1e-6
    assert np.sqrt(np.square(ours - sent).mean()) < (0.02 if bits == 8 else 0.1) * spread
    scores = device.real(trace.scores)
    spread = np.ptp(exits["exit"]) + 1e-6
    assert np.sqrt(np.square(scores - exits["exit"]).mean()) < (0.03 if bits == 8 else 0.2) * spread


@settings(max_examples=10)
@given(bundles())
def test_what_is_sent_codes_to_the_same_symbols_again(bundle):
    device = IntegerDevice(bundle)
    sent = device.trace(samples_for(bundle.preprocessing)).sent
    if isinstance(bundle.codec, GriddedCodec):
        np.testing.assert_array_equal(bundle.codec.grid.symbols(device.values(sent)), sent)
    assert device.coded(sent) == bundle.codec.encode_rows(device.values(sent))


@settings(max_examples=5)
@given(bundles().filter(lambda bundle: bundle.encoder is not None))
def test_a_part_that_is_not_here_is_named(bundle):
    for name in ("head", "exit", "encoder"):
        device = IntegerDevice(replace(bundle, **{name: None}))
        with pytest.raises(ConfigError, match=f"bundle 'any' has no {name} here; copy its file into"):
            getattr(device, name)
