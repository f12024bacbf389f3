"""Writes digests.json anew: `python tests/pattern/goldens/write_digests.py`.

Only for new cases. A digest that changes means that the same seed gives another pattern: trained networks
keep their own table and stay readable, but results can no longer be repeated.
"""

import json
from pathlib import Path

from offramp.pattern import PatternSpec

JUNCTIONS = [(1, 1, 1), (24, 16, 8), (800, 40, 4), (800, 40, 32), (40, 100, 75), (1024, 1024, 128)]
SPECS = [
    PatternSpec("random"),
    PatternSpec("random", seed=2**64 + 1),
    PatternSpec("affine"),
    PatternSpec("affine", seed=7),
    *(PatternSpec("clash_free", type=type, dither=dither) for type in (1, 2, 3) for dither in (False, True)),
]
BLOCKED = [
    ((800, 40, 4), PatternSpec("block", block=(4, 2))),
    ((1024, 1024, 128), PatternSpec("block", block=(4, 4), seed=7)),
    ((1024, 1024, 128), PatternSpec("affine", block=(4, 4))),
    ((40, 20, 20), PatternSpec("full")),
    ((40, 20, 20), PatternSpec("full", block=(8, 4))),
    ((24, 18, 12), PatternSpec("clash_free", type=1, z=8, dither=True, seed=7)),
    ((24, 18, 12), PatternSpec("clash_free", type=2, z=8, dither=True, seed=7)),
]


def main() -> None:
    cases = [*((junction, spec) for spec in SPECS for junction in JUNCTIONS), *BLOCKED]
    lines = [
        json.dumps({"junction": junction, "spec": vars(spec), "digest": spec.build(*junction).digest()})
        for junction, spec in cases
    ]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    Path(__file__).with_name("digests.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
