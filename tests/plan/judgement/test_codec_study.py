"""Every codec on the same samples."""

from dataclasses import replace

import numpy as np
import pytest

from offramp.bundle import Bundle
from offramp.codec import CODECS, fit_codec
from offramp.errors import ConfigError
from offramp.exits import NEVER, ExitRule
from offramp.plan.judgement import (
    CodecRow,
    calibrated,
    codec_study,
    difference,
    judged,
    rules_of,
    verdicts_of,
    with_rules,
)
from offramp.runtime import edge_scores

Labelled = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def exiting(network: Bundle, samples: Labelled) -> Bundle:
    """With a threshold at which every exit, and the tail, has something to say."""
    return calibrated(network, *samples, risk=0.05).bundle


@pytest.fixture(scope="module")
def rows(exiting: Bundle, samples: Labelled) -> dict[str, CodecRow]:
    x, y = samples
    return {row.name: row for row in codec_study(exiting, x[:500], x[500:], y[500:])}


def test_every_codec_has_a_row(rows: dict[str, CodecRow]) -> None:
    assert tuple(rows) == CODECS


@pytest.mark.parametrize("name", CODECS)
def test_a_row_is_the_bundle_with_that_codec_fitted_to_the_training_samples(
    exiting: Bundle, samples: Labelled, rows: dict[str, CodecRow], name: str
) -> None:
    x, y = samples
    codec = fit_codec(name, edge_scores(exiting, x[:500])[1])
    bundle = replace(exiting, codec=codec)
    verdicts = verdicts_of(bundle, judged(bundle, x[500:], y[500:]))
    plain = verdicts_of(exiting, judged(replace(exiting, codec=fit_codec("float32", x)), x[500:], y[500:]))
    sizes = np.array([len(row) for row in codec.encode_rows(edge_scores(exiting, x[500:])[1])])
    offloaded = verdicts.offloaded
    assert 0 < offloaded.sum() < len(offloaded)
    row = rows[name]
    assert row.digest == codec.digest
    assert row.tail_accuracy.value == verdicts.tail_right.mean()
    assert row.system_accuracy.value == verdicts.system_right.mean()
    assert row.against_float32 == difference(verdicts.tail_right, plain.tail_right)
    assert row.bytes_if_all == pytest.approx(sizes.mean())
    assert row.bytes_if_offloaded == pytest.approx(sizes[offloaded].mean())
    assert row.bytes_per_sample == pytest.approx(sizes[offloaded].sum() / 1500)
    assert row.largest_bytes == sizes.max()


def test_the_bundles_own_codec_does_not_matter(
    exiting: Bundle, samples: Labelled, rows: dict[str, CodecRow]
) -> None:
    x, y = samples
    other = replace(exiting, codec=fit_codec("int4", edge_scores(exiting, x[:500])[1]))
    assert codec_study(other, x[:500], x[500:], y[500:], ["int8"]) == [rows["int8"]]


def test_where_nothing_is_sent_there_is_no_mean_of_what_is(exiting: Bundle, samples: Labelled) -> None:
    x, y = samples
    always = with_rules(exiting, dict.fromkeys(rules_of(exiting), ExitRule(0.0)))
    (row,) = codec_study(always, x[:500], x[500:], y[500:], ["int4"])
    assert row.bytes_if_offloaded is None
    assert row.bytes_per_sample == 0
    assert row.bytes_if_all == 3  # six features of four bits


def test_where_all_is_sent_both_means_are_one(exiting: Bundle, samples: Labelled) -> None:
    x, y = samples
    never = with_rules(exiting, dict.fromkeys(rules_of(exiting), ExitRule(NEVER)))
    (row,) = codec_study(never, x[:500], x[500:], y[500:], ["int4-range"])
    assert row.bytes_if_offloaded == row.bytes_per_sample == row.bytes_if_all
    assert row.system_accuracy == row.tail_accuracy


def test_unknown_codecs_are_refused(exiting: Bundle, samples: Labelled) -> None:
    x, y = samples
    with pytest.raises(ConfigError, match="unknown codec 'zip'; use one of float32, "):
        codec_study(exiting, x[:500], x[500:], y[500:], ["zip"])
