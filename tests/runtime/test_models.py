import dataclasses

import numpy as np
import pytest

from offramp.errors import ConfigError, DataError
from offramp.runtime import Network, models_of
from offramp.wire import InferRequest, Tensor


def request(array):
    return InferRequest("m", (Tensor("x", array),))


def test_a_bundle_with_head_and_tail_answers_features_and_samples(bundle, workshop):
    tail, whole = models_of(bundle)
    samples = workshop.samples(3)
    features = Network(bundle.head)(bundle.preprocessing(samples))

    assert (tail.name, whole.name) == ("tiny.tail", "tiny")
    np.testing.assert_array_equal(tail.read(request(features)), features)
    np.testing.assert_array_equal(
        whole.compute(whole.read(request(samples))), tail.compute(tail.read(request(features)))
    )
    assert whole.metadata.inputs[0].datatype == "UINT8"
    assert whole.metadata.inputs[0].shape == (-1, 3, 4)
    assert tail.metadata.inputs[0].shape == (-1, 8)
    assert tail.metadata.outputs == whole.metadata.outputs


def test_a_tail_alone_answers_features_only(bundle):
    alone = dataclasses.replace(bundle, head=None, exit=None)
    assert [model.name for model in models_of(alone)] == ["tiny.tail"]


def test_any_callable_may_be_the_tail(bundle):
    without = dataclasses.replace(bundle, tail=None)
    for model in models_of(without, tail=lambda x: x[:, :3]):
        assert model.compute(np.ones((2, 16 if model.name == "tiny" else 8), np.float32)).shape == (2, 3)


def test_a_bundle_without_a_tail_needs_a_callable(bundle):
    with pytest.raises(ConfigError, match="bundle 'tiny' has no tail; give its tail part, or a callable"):
        models_of(dataclasses.replace(bundle, tail=None))


def test_a_sample_that_the_preprocessing_cannot_digest_is_the_callers_fault(workshop):
    floats = workshop.bundle(preprocessing=workshop.preprocessing((16,), "float32", scale=1e38))
    with pytest.raises(DataError, match="sample 0 of 1 holds NaN, infinity or a value too large"):
        models_of(floats)[1].read(request(np.full((1, 16), 1e38, np.float32)))


def test_features_leave_the_tail_by_its_exits_and_whole_samples_do_not(workshop):
    exiting = workshop.bundle_with_inner_exits(tail_rule=0.9)
    tail, whole = models_of(exiting)
    samples = workshop.samples(60)
    features = Network(exiting.head)(exiting.preprocessing(samples))
    early = Network(exiting.inner_exits[1].part)(Network(exiting.tail, stop=2)(features))
    late = Network(exiting.tail)(features)
    sure = exiting.inner_exits[1].rule.sure(early)
    assert 0 < sure.sum() < 60
    np.testing.assert_allclose(tail.compute(features), np.where(sure[:, None], early, late), rtol=1e-4)
    np.testing.assert_allclose(whole.compute(whole.read(request(samples))), late, rtol=1e-4)


def test_a_callable_tail_has_no_exits(workshop):
    exiting = workshop.bundle_with_inner_exits(tail_rule=0.0)
    tail = models_of(exiting, tail=lambda x: x[:, :3])[0]
    x = np.eye(8, dtype=np.float32)
    np.testing.assert_array_equal(tail.compute(x), x[:, :3])
