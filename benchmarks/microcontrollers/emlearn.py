"""A dense network by emlearn, which makes C of it in float32."""

import subprocess
from pathlib import Path

import numpy as np

from benchmarks.microcontrollers.contender import Sources
from benchmarks.microcontrollers.dense import Dense

PYTHON = "emlearn/bin/python"
# Run by the environment that has emlearn; this one need not.
_CONVERT = """
import sys, emlearn, emlearn.net, numpy
layers = numpy.load(sys.argv[1])
n = len(layers) // 2
weights, biases = ([layers[f"{kind}{number}"] for number in range(n)] for kind in "wb")
activations = ["relu"] * (n - 1) + ["identity"]
with open(sys.argv[2], "w") as source:
    source.write(emlearn.net.c_generate_net_loadable(activations, weights, biases, prefix="dense"))
print(emlearn.includedir)
"""


def write(dense: Dense, folder: Path, peers: Path) -> Sources:
    """The network's C in `folder`; the pixels are scaled there, as emlearn prints weights with few digits."""
    arrays = {f"w{number}": weight.T for number, weight in enumerate(dense.weights)}
    arrays |= {f"b{number}": bias for number, bias in enumerate(dense.biases)}
    np.savez(folder / "layers.npz", **arrays)
    command = [peers / PYTHON, "-I", "-c", _CONVERT, folder / "layers.npz", folder / "dense.h"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    source = folder / "network.c"
    source.write_text(_CLASSIFY.format(n_in=dense.neurons[0], pool=dense.pool), encoding="utf-8")
    return Sources((source,), (folder, Path(said.strip())))


_CLASSIFY = """\
#include "network.h"
#include "pool.h"

#include "dense.h"

uint8_t classify(const uint8_t *pixels)
{{
    float input[{n_in}], *put = input;
#define PUT(mean) (*put++ = (float)(mean) * (1.0f / 255.0f))
    POOL_{pool}(pixels, PUT);
    return (uint8_t)dense_predict(input, {n_in});
}}
"""
