"""manifest.json: what a bundle says about itself, sealed with a digest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from offramp.bundle.layers import Digest, Layer
from offramp.bundle.names import PartName, Place
from offramp.bundle.preprocessing import Preprocessing
from offramp.bundle.quantisation import QuantisedPart
from offramp.errors import BundleError, OfframpError

FORMAT = "offramp-bundle"
FORMAT_VERSION = 3
MAX_BYTES = 64 << 20  # a manifest; 65,536 features with an offset and a scale each take about 3 MiB


class PartRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part: its layers, and size and SHA-256 of its file."""

    layers: tuple[Layer, ...]
    n_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**62)]
    sha256: Digest


class ProfileRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Profile as JSON."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class RuleRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ExitRule as JSON."""

    threshold: float
    criterion: str
    evidence: dict[str, Any]
    temperature: float = 1.0
    weights: tuple[float, ...] = ()
    profile: ProfileRecord | None = None


class CodecRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A codec's name, and what `codec_from` makes it of."""

    name: str
    parameters: dict[str, Any]


class InnerExitRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an inner exit stands and when it answers; its part has a record of its own."""

    place: Place
    after: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    rule: RuleRecord


class GridRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Grid of 8 bits as JSON."""

    low: tuple[float, ...]
    step: tuple[float, ...]


class QuantisationRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Quantisation as JSON."""

    input: GridRecord | None = None
    grids: dict[QuantisedPart, tuple[GridRecord, ...]]
    rule: RuleRecord
    evidence: dict[str, Any] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sealed content of manifest.json."""

    offramp_version: str
    name: str
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    head_digest: Digest
    encoder_digest: Digest | None = None
    exit_rule: RuleRecord
    inner_exits: tuple[InnerExitRecord, ...] = ()
    codec: CodecRecord
    quantisation: QuantisationRecord | None = None
    training: dict[str, Any]
    parts: dict[PartName, PartRecord]


class _ManifestV1(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As version 1 had it: head, exit, tail; floats on the wire."""

    offramp_version: str
    name: str
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    head_digest: Digest
    exit_rule: RuleRecord
    codec: str
    training: dict[str, Any]
    parts: dict[Literal["head", "exit", "tail"], PartRecord]

    def upgraded(self) -> Manifest:
        return Manifest(
            offramp_version=self.offramp_version,
            name=self.name,
            preprocessing=self.preprocessing,
            classes=self.classes,
            head_digest=self.head_digest,
            exit_rule=self.exit_rule,
            codec=CodecRecord(self.codec, {}),
            training=self.training,
            parts={str(name): record for name, record in self.parts.items()},
        )


class _Version(msgspec.Struct):
    """As much of any version's envelope as tells whether the rest can be read."""

    format: str
    format_version: int


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    format_version: int
    sha256: Digest  # over the bytes of content, as they stand in the file
    content: msgspec.Raw


def encode(manifest: Manifest) -> bytes:
    """The bytes of manifest.json.

    Raises:
        BundleError: evidence or training summary hold something that JSON cannot.
    """
    _check_json("exit_rule.evidence", manifest.exit_rule.evidence)
    for inner in manifest.inner_exits:
        _check_json(f"the rule's evidence of exit-{inner.place}-{inner.after}", inner.rule.evidence)
    if manifest.quantisation is not None:
        _check_json("quantisation.rule.evidence", manifest.quantisation.rule.evidence)
        _check_json("quantisation.evidence", manifest.quantisation.evidence)
    _check_json("training", manifest.training)
    try:
        content = msgspec.json.format(msgspec.json.encode(manifest, enc_hook=_plain_number), indent=1)
    except UnicodeEncodeError as error:
        raise BundleError(
            f"a text of the bundle is no Unicode: {error}; remove its lone surrogates"
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    envelope = _Envelope(FORMAT, FORMAT_VERSION, sha256, msgspec.Raw(content))
    return msgspec.json.encode(envelope) + b"\n"


def decode(data: bytes) -> Manifest:
    """The manifest in these bytes.

    Raises:
        BundleError: another format or version, damaged or altered content, a wrong type or value anywhere.
    """
    try:
        version = msgspec.json.decode(data, type=_Version)
        if version.format != FORMAT:
            raise BundleError(f"format {version.format[:40]!r}, not {FORMAT!r}; give the folder of a bundle")
        if version.format_version not in (1, 2, FORMAT_VERSION):
            raise BundleError(
                f"format version {version.format_version}; this offramp reads 1 to {FORMAT_VERSION}:"
                " install an offramp that knows it, or train and write again"
            )
        envelope = msgspec.json.decode(data, type=_Envelope)
        found = hashlib.sha256(envelope.content).hexdigest()
        if found != envelope.sha256:
            raise BundleError(
                f"the content's SHA-256 is {found[:12]}, not {envelope.sha256[:12]} as recorded: damaged or"
                " edited by hand; copy the bundle again, or change it with offramp.bundle.write"
            )
        if version.format_version == 1:
            return msgspec.json.decode(envelope.content, type=_ManifestV1).upgraded()
        return msgspec.json.decode(envelope.content, type=Manifest)
    except BundleError:
        raise
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OfframpError) as error:
        raise BundleError(f"not a manifest: {error}; copy the bundle again") from error


def _check_json(where: str, value: object) -> None:
    """Raise BundleError for what JSON would change silently (NaN would become null) or cannot hold."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise BundleError(f"{where} has the key {key!r}; keys must be strings")
            _check_json(f"{where}.{key}", item)
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check_json(f"{where}[{i}]", item)
    elif isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise BundleError(f"{where} is {value}, which JSON cannot hold; leave it out or write it as text")
    elif not isinstance(value, str | int | np.integer | np.bool_ | None):
        raise BundleError(
            f"{where} is a {type(value).__name__}; use text, numbers, booleans, lists and dicts"
        )


def _plain_number(value: object) -> object:
    """NumPy's scalars, which msgspec does not know, as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a {type(value).__name__}")  # how a hook tells msgspec that it cannot
