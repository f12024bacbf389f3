"""docs/formats/bundle.md, followed by a reader that shares no code with offramp."""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from offramp.bundle import read
from offramp.kernels import reference

GOLDEN = Path(__file__).parent / "goldens" / "version_3"
EARLIER = [GOLDEN.with_name("version_1"), GOLDEN.with_name("version_2")]
TYPES = {"F32": "<f4", "U8": "u1", "U16": "<u2", "U32": "<u4"}


def documented_manifest():
    data = (GOLDEN / "manifest.json").read_bytes()
    envelope = json.loads(data)
    sealed = data[data.index(b'"content":') + 10 : data.rindex(b"}")]
    assert hashlib.sha256(sealed).hexdigest() == envelope["sha256"]
    assert (envelope["format"], envelope["format_version"]) == ("offramp-bundle", 3)
    return envelope["content"]


def documented_arrays(content, name):
    data = (GOLDEN / f"{name}.safetensors").read_bytes()
    record = content["parts"][name]
    assert len(data) == record["n_bytes"]
    assert hashlib.sha256(data).hexdigest() == record["sha256"]
    (length,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    return {
        key: np.frombuffer(body[slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"])
        for key, entry in header.items()
        if key != "__metadata__"
    }


def documented_digest(content, name):
    layers, arrays = content["parts"][name]["layers"], documented_arrays(content, name)
    sha = hashlib.sha256(b"offramp part 1\n")
    sha.update(json.dumps(layers, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    for i in range(len(layers)):
        for key, dtype in (("weight", "<f4"), ("table", "<i4"), ("bias", "<f4")):
            if f"{i}.{key}" in arrays:
                sha.update(arrays[f"{i}.{key}"].astype(dtype).tobytes())
    return sha.hexdigest()


def documented_inputs(settings, raw):
    """One raw sample to the head's inputs."""
    f, p = np.float32, settings["pool"]
    values = []
    for i in range(settings["shape"][0] // p):
        for k in range(settings["shape"][1] // p):
            total = f(0)
            for row in raw[i * p : i * p + p]:
                for value in row[k * p : k * p + p]:
                    total = f(total + f(value))
            values.append(f(total / f(p * p)))
    offset = np.broadcast_to(settings["offset"], len(values))
    values = [f(f(v - f(o)) * f(settings["scale"])) for v, o in zip(values, offset, strict=True)]
    return [*values, *[f(0)] * (settings["pad_to"] - len(values))]


def documented_sparse(layer, i, arrays, x):
    r, c = layer["block"]
    y = arrays[f"{i}.bias"].astype(float)
    for (o, k), block in np.ndenumerate(arrays[f"{i}.table"]):
        for a in range(r):
            for b in range(c):
                y[o * c + b] += arrays[f"{i}.weight"][o, k, a * c + b] * x[block * r + a]
    return y


@pytest.mark.parametrize("folder", EARLIER, ids=lambda folder: folder.name)
def test_a_bundle_that_an_earlier_version_wrote_is_still_read(folder):
    bundle = read(folder)
    assert (bundle.name, bundle.classes, bundle.codec.name) == ("golden", ("left", "right"), "float16")
    assert bundle.exit_rule.threshold == 0.75
    assert bundle.training == {"recipe": "paper", "seed": 0}
    assert bundle.quantisation is None
    assert bundle.head_digest == json.loads((folder / "manifest.json").read_bytes())["content"]["head_digest"]


def test_the_second_version_had_exits_inside_head_and_tail():
    inner = read(EARLIER[1]).inner_exits
    assert [(one.name, one.rule.threshold) for one in inner] == [("exit-head-1", 0.9), ("exit-tail-2", 0.8)]


def test_a_reader_that_follows_the_documentation_finds_the_same_quantisation():
    content, ours = documented_manifest()["quantisation"], read(GOLDEN).quantisation
    assert content["input"] is ours.input is None
    documented = {
        name: [tuple(tuple(map(np.float32, grid[key])) for key in ("low", "step")) for grid in grids]
        for name, grids in content["grids"].items()
    }
    assert documented == {
        name: [(grid.low, grid.step) for grid in grids] for name, grids in ours.grids.items()
    }
    assert content["rule"]["threshold"] == ours.rule.threshold
    assert content["evidence"] == ours.evidence


@pytest.mark.parametrize("name", ["head", "exit", "tail"])
def test_a_reader_that_follows_the_documentation_finds_the_same_arrays_and_digest(name):
    content, part = documented_manifest(), read(GOLDEN).parts[name]
    arrays = documented_arrays(content, name)
    assert arrays.keys() == part.arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, part.arrays[key])
    assert documented_digest(content, name) == part.digest


def test_a_reader_that_follows_the_documentation_prepares_the_same_bits():
    raw = (np.arange(16, dtype=np.uint8) * 13).reshape(4, 4)
    ours = read(GOLDEN).preprocessing(raw[None])
    documented = documented_inputs(documented_manifest()["preprocessing"], raw)
    assert ours.tobytes() == np.array(documented, "<f4").tobytes()


def test_the_documented_equation_is_the_one_of_the_kernels():
    head = read(GOLDEN).head
    x = np.linspace(-1, 1, 6, dtype=np.float32)
    arrays = [head.arrays[f"0.{name}"] for name in ("weight", "table", "bias")]
    ours = reference.forward(x[None], *arrays, block=head.layers[0].block)[0]
    content = documented_manifest()
    layer, arrays = content["parts"]["head"]["layers"][0], documented_arrays(content, "head")
    np.testing.assert_allclose(ours, documented_sparse(layer, 0, arrays, x), atol=1e-6)
