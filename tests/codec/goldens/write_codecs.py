"""Wrote codecs.json: for each fitted codec parameters and digest, features, their bytes and what arrives.

The bytes are a format (docs/formats/codecs.md): this file is written again only with a new one.
"""

import json
from pathlib import Path

import numpy as np

from offramp.codec import CODECS, arrived, codec_from

FILE = Path(__file__).parent / "codecs.json"
LOW = [0.0, 0.0, -1.6, 0.25, 0.0]
STEP = {"int8": [0.01, 0.02, 0.0125, 0.004, 0.5], "int4": [0.16, 0.3, 0.2, 0.0625, 0.5]}
SYMBOLS = (  # what is common, what is rare, and what an escape is for
    [0, 0, 8, 0, 0],
    [3, 0, 9, 4, 0],
    [0, 5, 0, 15, 15],
    [15, 15, 15, 15, 15],
    [0, 15, 0, 0, 0],
)


def frequencies(bits):
    """Low symbols are common, the third feature's in the middle; the last feature is nearly always 0."""
    extra = [] if bits == 4 else [1]
    falling = [*extra, *(max(1, 2048 >> i) for i in range(16))]
    falling[len(extra)] += 4096 - sum(falling)
    middle = [*extra, *(1 + 500 * (6 <= i < 14) for i in range(16))]
    middle[len(extra) + 8] += 4096 - sum(middle)
    dead = [*extra, *[1] * 16]
    dead[0] += 4096 - sum(dead)
    return [falling, falling, middle, falling, dead]


def golden(name):
    """Parameters, digest, features, their bytes in hex and the features as they return."""
    half = name[:4]
    parameters = {"low": LOW, "step": STEP[half]}
    if name.endswith("range"):
        parameters["frequencies"] = frequencies(int(half[3:]))
    codec = codec_from(name, parameters)
    symbols = np.array(SYMBOLS, np.float32) * (1 if half == "int4" else 17)
    features = np.array(LOW, np.float32) + symbols * np.array(STEP[half], np.float32) * np.float32(1.01)
    return {
        "parameters": codec.parameters(),
        "digest": codec.digest,
        "features": [[float(str(value)) for value in row] for row in features],
        "rows": [row.hex() for row in codec.encode_rows(features)],
        "arrived": arrived(codec, features).tobytes().hex(),
    }


if __name__ == "__main__":
    fitted = [name for name in CODECS if name.startswith("int")]
    lines = [f"{json.dumps(name)}: {json.dumps(golden(name))}" for name in fitted]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
