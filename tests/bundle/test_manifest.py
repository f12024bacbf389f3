import hashlib
import json

import numpy as np
import pytest

from offramp.bundle import write
from offramp.bundle.manifest import decode
from offramp.errors import BundleError
from offramp.exits import ExitRule


@pytest.fixture
def manifest_bytes(workshop, tmp_path):
    write(workshop.build(), tmp_path / "tiny")
    return (tmp_path / "tiny" / "manifest.json").read_bytes()


def test_the_seal_is_over_the_content_as_it_stands_in_the_file(manifest_bytes):
    envelope = json.loads(manifest_bytes)
    assert list(envelope) == ["format", "format_version", "sha256", "content"]
    content = manifest_bytes[
        manifest_bytes.index(b'"content":') + len(b'"content":') : manifest_bytes.rindex(b"}")
    ]
    assert hashlib.sha256(content).hexdigest() == envelope["sha256"]
    assert decode(manifest_bytes).name == "tiny"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"offramp-bundle", b"offramp-report", "format 'offramp-report', not 'offramp-bundle'"),
        (
            b'"format_version":3',
            b'"format_version":4',
            "format version 4; this offramp reads 1 to 3: install",
        ),
        (b'"format_version":3', b'"format_version":"3"', "not a manifest: Expected `int`, got `str`"),
        (b'"bee"', b'"eel"', "the content's SHA-256 is .*damaged or edited by hand; copy the bundle again"),
        (b'"sha256"', b'"sha1"', "not a manifest: Object contains unknown field `sha1`"),
        (b'"format"', b'"more":1,"format"', "not a manifest: Object contains unknown field `more`"),
    ],
    ids=["other format", "newer version", "version as text", "altered", "no seal", "unknown field"],
)
def test_an_envelope_that_is_not_ours_is_refused(manifest_bytes, old, new, message):
    assert old in manifest_bytes
    with pytest.raises(BundleError, match=message):
        decode(manifest_bytes.replace(old, new, 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"format":"\xff\xfe"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format":"offramp-bundle","format_version":NaN}',
        b'{"format":"\\ud800","format_version":1}',
        b'{"format":"offramp-bundle","format_version":' + b"1" * 10_000 + b"}",
    ],
    ids=[
        "nothing",
        "null",
        "list",
        "no json",
        "no utf-8",
        "deep lists",
        "deep objects",
        "NaN",
        "half a surrogate",
        "big",
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(data):
    with pytest.raises(BundleError, match=r"^not a manifest: .*; copy the bundle again$"):
        decode(data)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"loss": [0.5, float("nan")]}, r"training.loss\[1\] is nan, which JSON cannot hold"),
        ({"loss": np.float32("inf")}, "training.loss is inf, which JSON cannot hold"),
        ({"path": b"x"}, "training.path is a bytes; use text, numbers, booleans, lists and dicts"),
        ({"a": {1: 2}}, "training.a has the key 1; keys must be strings"),
        ({"name": "\ud800"}, "a text of the bundle is no Unicode"),
    ],
    ids=["NaN", "infinity", "bytes", "number as key", "half a surrogate"],
)
def test_a_training_summary_that_json_cannot_hold_is_refused(workshop, tmp_path, training, message):
    with pytest.raises(BundleError, match=message):
        write(workshop.build(training=training), tmp_path / "tiny")
    assert list(tmp_path.iterdir()) == []


def test_evidence_that_json_cannot_hold_is_refused(workshop, tmp_path):
    rule = ExitRule(0.5, evidence={"accuracy_drop": float("nan")})
    with pytest.raises(BundleError, match=r"exit_rule.evidence.accuracy_drop is nan, which JSON cannot hold"):
        write(workshop.build(exit_rule=rule), tmp_path / "tiny")


def test_numpys_numbers_are_written_as_numbers(workshop, tmp_path):
    training = {
        "n": np.int64(3),
        "loss": np.float32(0.5),
        "done": np.bool_(True),
        "none": None,
        "pair": (1, 2),
    }
    write(workshop.build(training=training), tmp_path / "tiny")
    content = json.loads((tmp_path / "tiny" / "manifest.json").read_bytes())["content"]
    assert content["training"] == {"n": 3, "loss": 0.5, "done": True, "none": None, "pair": [1, 2]}
