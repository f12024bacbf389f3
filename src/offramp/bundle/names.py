"""What the parts of a bundle are called."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

import msgspec

Place = Literal["head", "tail"]
PLACES: tuple[Place, ...] = get_args(Place)

PARTS = ("head", "exit", "encoder", "tail")
"""The parts that there is one of at most, in order of execution."""

HEAD_DIGEST_KEY = "offramp.head_digest"
"""Under which a tail in another form, such as ONNX, says of which head it understands features."""

_PATTERN = r"^(head|exit|encoder|tail|exit-(head|tail)-([1-9][0-9]{0,3}))\Z"
PartName = Annotated[str, msgspec.Meta(pattern=_PATTERN)]
_NAME = re.compile(_PATTERN)


def inner_name(place: Place, after: int) -> str:
    """The part that is the exit after the first `after` layers of head or tail: "exit-head-2"."""
    return f"exit-{place}-{after}"


def inner_place(part: str) -> tuple[Place, int] | None:
    """Where the inner exit of this name stands; None for a part that is none."""
    found = _NAME.match(part)
    if found is None or found[2] is None:
        return None
    return ("head" if found[2] == "head" else "tail"), int(found[3])


def is_part(name: str) -> bool:
    """Whether a part can be called this."""
    return _NAME.match(name) is not None


def file_name(part: str) -> str:
    """The file of a part. Names that come from elsewhere were checked by `is_part` before."""
    assert is_part(part), part
    return f"{part}.safetensors"


def is_file_of_a_part(name: str) -> bool:
    """Whether `write` may have written a file of this name beside the manifest."""
    return name.endswith(".safetensors") and is_part(name.removesuffix(".safetensors"))
