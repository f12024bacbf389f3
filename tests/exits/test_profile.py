import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError, InputError
from offramp.exits import Profile, profile_of

confidences = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=60)


@given(counted=confidences, placing=confidences, n_bins=st.integers(2, 12))
def test_every_sample_is_counted_once_in_its_bin(counted, placing, n_bins):
    profile = profile_of(counted, n_bins, edges_from=placing)
    assert len(profile.counts) <= n_bins
    assert profile.n == len(counted)
    for i, (low, high) in enumerate(zip(profile.edges[:-1], profile.edges[1:], strict=True)):
        assert profile.counts[i] == sum(low <= c < high or c == high == 1 for c in counted)


@given(placing=confidences, counted=confidences, other=confidences)
def test_edges_do_not_depend_on_the_samples_that_are_counted(placing, counted, other):
    assert profile_of(counted, edges_from=placing).edges == profile_of(other, edges_from=placing).edges


def test_without_samples_for_edges_every_fifth_places_them():
    values = np.random.default_rng(0).random(101)
    rest = np.delete(values, np.arange(0, 101, 5))
    assert profile_of(values) == profile_of(rest, edges_from=values[::5])


def test_bins_are_about_equally_full_and_the_lowest_is_left_for_less_sure_samples():
    values = np.random.default_rng(0).beta(8, 1, size=50_000)
    profile = profile_of(values)
    assert len(profile.counts) == 20
    assert profile.counts[0] <= 10
    np.testing.assert_allclose(profile.counts[1:], 40_000 / 19, rtol=0.15)


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([1.0], (0.0, 0.5, 1.0)),
        ([0.0], (0.0, 1.0)),
        ([0.25, 0.75, 1.0, 1.0], (0.0, 0.125, 0.5, 0.875, 1.0)),
        ([np.nextafter(1, 0), 1.0], (0.0, 0.5, 1.0)),
    ],
    ids=["all-sure", "none-sure", "a-few", "neighbours"],
)
def test_edges_lie_halfway_between_confidences(values, edges):
    assert profile_of([0.5], edges_from=values).edges == pytest.approx(edges)


def test_a_profile_comes_back_from_json_as_it_was():
    profile = profile_of(np.random.default_rng(1).random(500))
    assert Profile(**json.loads(json.dumps(asdict(profile)))) == profile


@pytest.mark.parametrize(
    ("edges", "counts", "text"),
    [
        ((0, 1), (1, 2), "a profile with 2 edges and 2 counts; give the edges of all bins"),
        ((0,), (), "a profile with 1 edges and 0 counts"),
        ((0, 0.5, 0.5, 1), (1, 2, 3), r"profile edges \(0, 0.5, 0.5, 1\); they ascend from 0 to 1"),
        ((0, np.nan, 1), (1, 2), r"profile edges \(0, nan, 1\); they ascend"),
        ((0, 0.5), (1,), "they ascend from 0 to 1"),
        ((-np.inf, 1), (1,), "they ascend from 0 to 1"),
        ((0, 0.5, 1), (1, -2), r"profile counts \(1, -2\); they are whole numbers, 0 or more"),
        ((0, 1), (0.5,), "they are whole numbers"),
        ((0, 0.5, 1), (0, 0), "at least one above 0"),
        (np.linspace(0, 2, 12), (1,) * 11, r"profile edges \(0, 0.181818, .*, \.\.\.\)"),
    ],
    ids=str,
)
def test_a_profile_that_cannot_be_is_refused(edges, counts, text):
    with pytest.raises(ConfigError, match=text):
        Profile(edges, counts)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5], "1 sample for a profile; give 2 or more"),
        ([0.5, np.nan], "a confidence of nan"),
        ([[0.5]], "confidences of shape"),
    ],
    ids=["one", "nan", "matrix"],
)
def test_bad_confidences_make_no_profile(values, text):
    with pytest.raises(InputError, match=text):
        profile_of(values)


def test_a_profile_has_two_bins_or_more():
    with pytest.raises(ConfigError, match="n_bins=1; use 2 or more"):
        profile_of([0.1, 0.2], 1)
