"""Text from files made safe for a terminal."""

import re

# C0, DEL and C1 steer terminals; line separators and marks of direction make text read as what it is not.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""The text, with what a terminal would obey as \uXXXX; a line of JSON keeps its meaning."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
