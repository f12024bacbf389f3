"""A folder with the tails of bundles that other servers of the Open Inference Protocol start from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import resources

import msgspec

from offramp.bundle import Bundle
from offramp.errors import ConfigError
from offramp.export.folder import check_folder, write_folder
from offramp.export.onnx import onnx_tail_model

MAX_BATCH = 256  # an edge sends no more rows in one request

_TRITON = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: {max_batch}
input [ {{ name: "features" data_type: TYPE_FP32 dims: [ {n_features} ] }} ]
output [ {{ name: "scores" data_type: TYPE_FP32 dims: [ {n_classes} ] }} ]
dynamic_batching {{ }}
"""

_README = """\
# Tails of split networks

Written by `offramp export repository`. Each model reads `features`, FP32 [-1, n_features], and writes
`scores`, FP32 [-1, n_classes], before any softmax:

{models}

Start one of these in this folder. All listen on loopback, without TLS and for everybody there.

Triton, with its ONNX Runtime backend:

    tritonserver --model-repository=. --grpc-address=127.0.0.1 --http-address=127.0.0.1 \\
      --metrics-address=127.0.0.1

KServe runs the same Triton in a cluster: put this folder where `storageUri` points to, and apply

    apiVersion: serving.kserve.io/v1beta1
    kind: InferenceService
    metadata:
      name: tails
    spec:
      predictor:
        model:
          modelFormat: {{name: onnx}}
          runtime: kserve-tritonserver
          protocolVersion: grpc-v2
          storageUri: ...

MLServer, after `pip install mlserver onnxruntime`; `settings.json` has its addresses:

    mlserver start .

A device asks one of them with plain features, here at Triton's port (MLServer's is 8081):

    offramp run BUNDLE --tail 127.0.0.1:8001 --plain-features --data ...

These servers look at neither `head_digest` nor `check` of a request: that device and model are of one bundle
is up to you.
"""

# Workers of MLServer are processes that a request is pickled to, which costs more than a tail does.
_MLSERVER = {"host": "127.0.0.1", "parallel_workers": 0}


def write_repository(bundles: Sequence[Bundle], path: str | os.PathLike[str]) -> None:
    """Put the tail of each bundle into the folder `path`, made for it: all of them, or nothing.

    For Triton and KServe: NAME.tail/config.pbtxt, NAME.tail/1/model.onnx. For MLServer: settings.json,
    NAME.tail/model-settings.json and its runtime, NAME.tail/mlserver_onnx.py. A README.md says how to start.

    Raises:
        ConfigError: something is at `path` already, the system refuses, a bundle has no tail, or two have one
            name.
        MissingDependencyError: onnx is not installed.
    """
    check_folder(path)
    write_folder(_files(bundles), path)


def _files(bundles: Sequence[Bundle]) -> Mapping[str, bytes]:
    """Path in the folder -> content."""
    names = [bundle.name for bundle in bundles]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(
            f"two bundles named {twice[0]!r}; a server has one model of a name, give one of them"
        )
    runtime = resources.files("offramp.export").joinpath("mlserver_onnx.py").read_bytes()
    files, lines = {"settings.json": _json(_MLSERVER)}, []
    for bundle in bundles:
        model = onnx_tail_model(bundle)
        name, n_features, n_classes = f"{bundle.name}.tail", bundle.n_sent, len(bundle.classes)
        config = _TRITON.format(name=name, max_batch=MAX_BATCH, n_features=n_features, n_classes=n_classes)
        files |= {
            f"{name}/1/model.onnx": model.SerializeToString(),
            f"{name}/config.pbtxt": config.encode(),
            f"{name}/model-settings.json": _json(_mlserver_model(name, n_features, n_classes)),
            f"{name}/mlserver_onnx.py": runtime,
        }
        lines.append(f"- `{name}`: {n_features} features, {n_classes} classes, head {bundle.features_digest}")
    return files | {"README.md": _README.format(models="\n".join(lines)).encode()}


def _mlserver_model(name: str, n_features: int, n_classes: int) -> dict[str, object]:
    return {
        "name": name,
        "implementation": "mlserver_onnx.OnnxModel",
        "parameters": {"uri": "./1/model.onnx", "version": "1"},
        "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, n_features]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, n_classes]}],
    }


def _json(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
