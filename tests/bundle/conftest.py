import hashlib
import json

import msgspec
import numpy as np
import pytest

from offramp import pattern
from offramp.bundle import Bundle, LinearLayer, Part, Preprocessing, ReluLayer, SparseLinearLayer
from offramp.codec import FloatCodec
from offramp.exits import ExitRule


def sparse(rng, n_in, n_out, out_degree, *, block=(1, 1), bias=True):
    made = pattern.block(n_in, n_out, out_degree, block=block, seed=int(rng.integers(1000)))
    layer = SparseLinearLayer(n_in, n_out, out_degree, block, bias, made.digest())
    weight = rng.standard_normal((*made.table.shape, block[0] * block[1]), dtype=np.float32)
    arrays = {"weight": weight, "table": made.table}
    return layer, arrays | ({"bias": rng.standard_normal(n_out, dtype=np.float32)} if bias else {})


def dense(rng, n_in, n_out, *, bias=True):
    arrays = {"weight": rng.standard_normal((n_out, n_in), dtype=np.float32)}
    arrays |= {"bias": rng.standard_normal(n_out, dtype=np.float32)} if bias else {}
    return LinearLayer(n_in, n_out, bias), arrays


def part(*layers):
    arrays = {f"{i}.{name}": array for i, (_, own) in enumerate(layers) for name, array in own.items()}
    return Part(tuple(layer for layer, _ in layers), arrays)


RELU = (ReluLayer(), {})


def build(seed=0, *, block=(2, 1), bias=True, hidden=4, **changes):
    """A bundle of all kinds of layers: 16 inputs (12 padded) -> 8 features -> 3 classes."""
    rng = np.random.default_rng(seed)
    fields = {
        "name": "tiny",
        "preprocessing": Preprocessing((3, 4), "uint8", scale=1 / 255, pad_to=16),
        "classes": ("ant", "bee", "cat"),
        "head": part(sparse(rng, 16, 8, 2, block=block, bias=bias), RELU),
        "exit": part(dense(rng, 8, 3, bias=bias)),
        "tail": part(sparse(rng, 8, hidden, hidden // 2, bias=bias), RELU, dense(rng, hidden, 3, bias=bias)),
        "exit_rule": ExitRule(0.75, evidence={"method": "empirical", "n": 12}),
        "codec": FloatCodec("float16"),
        "training": {"recipe": "paper", "seed": seed, "history": [{"loss": 0.5}, {"loss": 0.25}]},
    }
    return Bundle(**(fields | changes))


def forge(folder, edit):
    """Change a manifest's content and seal it anew, as somebody who means harm can."""
    file = folder / "manifest.json"
    envelope = json.loads(file.read_bytes())
    content = envelope["content"]
    edited = edit(content)
    raw = json.dumps(content if edited is None else edited).encode()
    envelope["sha256"] = hashlib.sha256(raw).hexdigest()
    envelope["content"] = msgspec.Raw(raw)
    file.write_bytes(msgspec.json.encode(envelope))


def forge_part(folder, name, data):
    """Replace a part's file and make the manifest vouch for it."""
    (folder / f"{name}.safetensors").write_bytes(data)

    def vouch(content):
        record = content["parts"][name]
        record["n_bytes"], record["sha256"] = len(data), hashlib.sha256(data).hexdigest()

    forge(folder, vouch)


class Workshop:
    """What the tests of this folder build with."""

    build = staticmethod(build)
    part = staticmethod(part)
    sparse = staticmethod(sparse)
    dense = staticmethod(dense)
    forge = staticmethod(forge)
    forge_part = staticmethod(forge_part)
    relu = RELU


@pytest.fixture(scope="session")
def workshop():
    return Workshop
