"""Every codec on the same samples: what it costs in accuracy, and what a sample takes in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.codec import CODECS, Codec, FloatCodec, check_name, fit_codec, stacked
from offramp.plan.judgement.judged import Bools, Verdicts, outcomes_of, verdicts_of
from offramp.plan.judgement.shares import Share, difference, share
from offramp.runtime import Scores, edge_scores, server_scores
from offramp.runtime.network import FloatArray


@dataclass(frozen=True)
class CodecRow:
    """One codec; the bundle's exits answer as they do, and the tail reads what the codec makes of features.

    Args:
        name, digest: of the codec.
        tail_accuracy: of the tail asked about every sample.
        against_float32: the tail's accuracy less that with float32, paired.
        system_accuracy: of the answers that come.
        bytes_if_all: mean payload of a sample, were every sample sent.
        bytes_if_offloaded: mean payload of the samples that no exit on the device answers; None for none.
        bytes_per_sample: payload of those, over all samples.
        largest_bytes: the largest payload of a sample.
    """

    name: str
    digest: str
    tail_accuracy: Share
    against_float32: Share
    system_accuracy: Share
    bytes_if_all: float
    bytes_if_offloaded: float | None
    bytes_per_sample: float
    largest_bytes: int


def codec_study(
    bundle: Bundle,
    train_samples: npt.NDArray[Any],
    samples: npt.NDArray[Any],
    labels: npt.ArrayLike,
    names: Sequence[str] = CODECS,
    *,
    threads: int = 1,
) -> list[CodecRow]:
    """A row for every codec of these names, fitted to the training samples' features; as `codec_rows`.

    Args:
        train_samples: raw, (m, *shape), of the training split.

    Raises:
        ConfigError: no codec has this name.
    """
    for name in names:
        check_name(name)
    _, features = edge_scores(bundle, train_samples, threads=threads)
    codecs = [fit_codec(name, features) for name in names]
    return codec_rows(bundle, codecs, samples, labels, threads=threads)


def codec_rows(
    bundle: Bundle,
    codecs: Sequence[Codec],
    samples: npt.NDArray[Any],
    labels: npt.ArrayLike,
    *,
    threads: int = 1,
) -> list[CodecRow]:
    """A row for each of these codecs, in their order.

    Args:
        bundle: with all of its parts; its own codec does not matter.
        samples, labels: raw (n, *shape) and (n,), n > 0, neither trained nor calibrated on.

    Raises:
        ConfigError: a part is not here, or a codec fitted to another width.
        InputError: samples that the network cannot digest, or labels that do not belong to them.
    """
    exits, sent = edge_scores(bundle, samples, threads=threads)
    heard = [
        _heard(bundle, codec, exits, sent, np.asarray(labels), threads) for codec in (FloatCodec(), *codecs)
    ]
    (_, plain), *others = heard
    return [
        _row(codec, n_bytes, verdicts, plain.tail_right)
        for codec, (n_bytes, verdicts) in zip(codecs, others, strict=True)
    ]


def _heard(
    bundle: Bundle,
    codec: Codec,
    exits: dict[str, FloatArray],
    sent: FloatArray,
    labels: npt.NDArray[np.int64],
    threads: int,
) -> tuple[npt.NDArray[np.int64], Verdicts]:
    """Bytes of every sample's payload (n,), and the verdicts with this codec.

    Args:
        exits, sent: what `edge_scores` gave.
    """
    rows = codec.encode_rows(sent)
    behind, tail = server_scores(bundle, codec.decode_rows(stacked(rows), sent.shape[1]), threads=threads)
    scores = Scores(exits | behind, len(exits), sent, tail)
    verdicts = verdicts_of(bundle, outcomes_of(bundle, scores, labels))
    return np.array([len(row) for row in rows]), verdicts


def _row(codec: Codec, n_bytes: npt.NDArray[np.int64], verdicts: Verdicts, baseline: Bools) -> CodecRow:
    """What a codec costs; `baseline` is where the tail is right with float32."""
    offloaded = n_bytes[verdicts.offloaded]
    right = verdicts.tail_right
    return CodecRow(
        name=codec.name,
        digest=codec.digest,
        tail_accuracy=share(right),
        against_float32=difference(right, baseline),
        system_accuracy=share(verdicts.system_right),
        bytes_if_all=float(n_bytes.mean()),
        bytes_if_offloaded=float(offloaded.mean()) if len(offloaded) else None,
        bytes_per_sample=float(offloaded.sum() / len(n_bytes)),
        largest_bytes=int(n_bytes.max()),
    )
