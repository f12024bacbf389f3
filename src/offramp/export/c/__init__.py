"""The device's side of a bundle as ISO C99."""

from offramp.export.c.encodings import KINDS, Encoding, Kind, Shape, encodings
from offramp.export.c.header import header
from offramp.export.c.junctions import CJunction
from offramp.export.c.program import Choose, Numbers, Program, program
from offramp.export.c.source import source

__all__ = [
    "KINDS",
    "CJunction",
    "Choose",
    "Encoding",
    "Kind",
    "Numbers",
    "Program",
    "Shape",
    "encodings",
    "header",
    "program",
    "source",
]
