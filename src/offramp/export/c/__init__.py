"""The device's side of a bundle as ISO C99."""

from offramp.export.c.chosen import chosen_program
from offramp.export.c.costs import Prefer, Priced
from offramp.export.c.encodings import KINDS, Encoding, Kind, Shape, encodings
from offramp.export.c.files import files, write_code
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
    "Prefer",
    "Priced",
    "Program",
    "Shape",
    "chosen_program",
    "encodings",
    "files",
    "header",
    "program",
    "source",
    "write_code",
]
