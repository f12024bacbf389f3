"""Serves the model repository of `offramp export repository` by Triton, as nvidia-pytriton has it.

    python triton_server.py REPOSITORY GRPC_PORT HTTP_PORT METRICS_PORT

That Triton comes with its Python backend only, so onnxruntime is called from here. It listens on loopback.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def main() -> None:
    repository = Path(sys.argv[1])
    grpc_port, http_port, metrics_port = map(int, sys.argv[2:])
    config = TritonConfig(
        grpc_address="127.0.0.1",
        http_address="127.0.0.1",
        metrics_address="127.0.0.1",
        grpc_port=grpc_port,
        http_port=http_port,
        metrics_port=metrics_port,
    )
    with Triton(config=config) as triton:
        for path in sorted(repository.glob("*/model-settings.json")):
            settings = json.loads(path.read_text())
            triton.bind(
                model_name=settings["name"],
                infer_func=_compute(path.parent / settings["parameters"]["uri"]),
                inputs=[_tensor(settings["inputs"][0])],
                outputs=[_tensor(settings["outputs"][0])],
                config=ModelConfig(max_batch_size=256, batcher=DynamicBatcher()),
                strict=True,
            )
        triton.serve()


def _compute(model: Path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    @batch
    def compute(features):
        return [session.run(None, {"features": features})[0]]

    return compute


def _tensor(settings):
    return Tensor(name=settings["name"], dtype=np.float32, shape=settings["shape"][1:])


if __name__ == "__main__":
    main()
