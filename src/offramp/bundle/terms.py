"""What a device and a tail have agreed on, without anything that computes."""

from __future__ import annotations

from dataclasses import dataclass

from offramp.bundle.bundle import features_digest, width_sent
from offramp.bundle.layers import widths
from offramp.bundle.manifest import Manifest
from offramp.bundle.preprocessing import Preprocessing
from offramp.bundle.records import codec_of
from offramp.codec import Codec
from offramp.errors import BundleError


@dataclass(frozen=True)
class Terms:
    """What somebody between device and tail has to know; a `Bundle` has the same under the same names.

    Args:
        features_digest: what an offload carries.
        n_sent: values that cross the wire for one sample.
    """

    name: str
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    codec: Codec
    features_digest: str
    n_sent: int


def terms_of(manifest: Manifest) -> Terms:
    """The terms that a manifest records.

    Raises:
        BundleError: it lists no part that tells how much is sent.
    """
    sizes = {name: widths(record.layers) for name, record in manifest.parts.items()}
    encoder_digest = manifest.encoder_digest or ""
    n_in, n_out = ({name: size[i] for name, size in sizes.items()} for i in (0, 1))
    n_sent = width_sent(n_in, n_out, encoder=bool(encoder_digest))
    if n_sent is None:
        raise BundleError(f"bundle {manifest.name!r} lists no part that reads or writes what is sent")
    return Terms(
        name=manifest.name,
        preprocessing=manifest.preprocessing,
        classes=manifest.classes,
        codec=codec_of(manifest),
        features_digest=features_digest(manifest.head_digest, encoder_digest),
        n_sent=n_sent,
    )
