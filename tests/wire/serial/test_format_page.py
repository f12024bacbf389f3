"""docs/formats/serial.md names every kind and every reason, with their numbers."""

import re
from pathlib import Path

from offramp.wire.serial import Offload, Refused, frame_bytes
from offramp.wire.serial.frames import _KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "formats" / "serial.md").read_text(encoding="utf-8")
NAMES = {"RawSample": "sample", "TailAnswer": "answer"}


def test_every_kind_is_there():
    written = re.findall(r"^\| (\d+) \| (?:device|gateway) \| (\w+) \|", PAGE, re.MULTILINE)
    known = {number: NAMES.get(kind.__name__, kind.__name__.lower()) for kind, number in _KINDS.items()}
    assert {int(number): name for number, name in written} == known


def test_every_reason_is_there():
    written = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", PAGE, re.MULTILINE)
    assert {int(number): name for number, name in written} == {why.value: why.name for why in Refused}


def test_the_overhead_of_an_offload_is_what_it_costs():
    (written,) = re.findall(r"beside the features of an offload \| (\d+) \|", PAGE)
    assert len(frame_bytes(Offload(1, b"\1" * 40))) - 40 == int(written)
