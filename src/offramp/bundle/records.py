"""Between a bundle and its manifest."""

from __future__ import annotations

from collections.abc import Mapping

from offramp import __version__
from offramp.bundle.bundle import Bundle, InnerExit
from offramp.bundle.manifest import (
    CodecRecord,
    GridRecord,
    InnerExitRecord,
    Manifest,
    PartRecord,
    ProfileRecord,
    QuantisationRecord,
    RuleRecord,
)
from offramp.bundle.names import inner_name
from offramp.bundle.part import Part
from offramp.bundle.quantisation import QUANTISED_PARTS, Quantisation
from offramp.codec import Codec, Grid, codec_from, shortest
from offramp.errors import BundleError
from offramp.exits import ExitRule, Profile


def manifest_of(bundle: Bundle, parts: Mapping[str, PartRecord]) -> Manifest:
    """What the manifest says of a bundle with these files."""
    return Manifest(
        offramp_version=__version__,
        name=bundle.name,
        preprocessing=bundle.preprocessing,
        classes=bundle.classes,
        head_digest=bundle.head_digest,
        encoder_digest=bundle.encoder_digest or None,
        exit_rule=_rule_record(bundle.exit_rule),
        inner_exits=tuple(
            InnerExitRecord(one.place, one.after, _rule_record(one.rule)) for one in bundle.inner_exits
        ),
        codec=CodecRecord(bundle.codec.name, bundle.codec.parameters()),
        quantisation=None if bundle.quantisation is None else _quantisation_record(bundle.quantisation),
        training=bundle.training,
        parts=dict(parts),
    )


def bundle_of(manifest: Manifest, parts: Mapping[str, Part]) -> Bundle:
    """The bundle that a manifest and some of its parts make.

    Raises:
        BundleError, ConfigError: they do not fit, or the manifest holds values that cannot be.
    """
    return Bundle(
        name=manifest.name,
        preprocessing=manifest.preprocessing,
        classes=manifest.classes,
        head=parts.get("head"),
        exit=parts.get("exit"),
        tail=parts.get("tail"),
        exit_rule=_rule(manifest.exit_rule),
        codec=codec_of(manifest),
        quantisation=quantisation_of(manifest),
        training=manifest.training,
        head_digest=manifest.head_digest,
        encoder=parts.get("encoder"),
        encoder_digest=manifest.encoder_digest or "",
        inner_exits=_inner_exits(manifest, parts),
    )


def codec_of(manifest: Manifest) -> Codec:
    """The codec that a manifest describes.

    Raises:
        ConfigError: no codec is like that.
    """
    return codec_from(manifest.codec.name, manifest.codec.parameters)


def quantisation_of(manifest: Manifest) -> Quantisation | None:
    """The quantisation that a manifest describes.

    Raises:
        ConfigError: it holds values that cannot be.
    """
    record = manifest.quantisation
    if record is None:
        return None
    return Quantisation(
        input=None if record.input is None else _grid(record.input),
        grids={name: tuple(map(_grid, grids)) for name, grids in record.grids.items()},
        rule=_rule(record.rule),
        evidence=record.evidence,
    )


def _inner_exits(manifest: Manifest, parts: Mapping[str, Part]) -> tuple[InnerExit, ...]:
    """Those whose parts are here; each one that the manifest lists must have its rule."""
    rules = {inner_name(one.place, one.after): one for one in manifest.inner_exits}
    listed = {name for name in manifest.parts if name.startswith("exit-")}
    if strangers := sorted(listed ^ rules.keys()):
        raise BundleError(f"part {strangers[0]} has no rule, or no file; train and write the bundle again")
    return tuple(
        InnerExit(one.place, one.after, parts[name], _rule(one.rule))
        for name, one in rules.items()
        if name in parts
    )


def _quantisation_record(quantisation: Quantisation) -> QuantisationRecord:
    return QuantisationRecord(
        input=None if quantisation.input is None else _grid_record(quantisation.input),
        grids={
            name: tuple(map(_grid_record, quantisation.grids[name]))
            for name in QUANTISED_PARTS
            if name in quantisation.grids
        },
        rule=_rule_record(quantisation.rule),
        evidence=dict(quantisation.evidence),
    )


def _grid_record(grid: Grid) -> GridRecord:
    return GridRecord(tuple(shortest(grid.low)), tuple(shortest(grid.step)))


def _grid(record: GridRecord) -> Grid:
    return Grid(8, record.low, record.step)


def _rule_record(rule: ExitRule) -> RuleRecord:
    profile = None if rule.profile is None else ProfileRecord(rule.profile.edges, rule.profile.counts)
    return RuleRecord(
        threshold=rule.threshold,
        criterion=rule.criterion,
        evidence=dict(rule.evidence),
        temperature=rule.temperature,
        weights=tuple(rule.weights),
        profile=profile,
    )


def _rule(record: RuleRecord) -> ExitRule:
    profile = None if record.profile is None else Profile(record.profile.edges, record.profile.counts)
    return ExitRule(
        threshold=record.threshold,
        criterion=record.criterion,
        temperature=record.temperature,
        weights=record.weights,
        profile=profile,
        evidence=record.evidence,
    )
