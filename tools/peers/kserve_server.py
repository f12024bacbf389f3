"""Serves the model repository of `offramp export repository` by the Python server of KServe.

    python kserve_server.py REPOSITORY GRPC_PORT HTTP_PORT

In a cluster KServe runs Triton for models of ONNX; this is its server for models of one's own. It listens on
all addresses and has no setting for that, so what it asks of gRPC and uvicorn is put right here.
"""

import json
import sys
from pathlib import Path

import grpc
import onnxruntime
import uvicorn
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class OnnxModel(Model):
    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name)
        self._path = path
        self.load()

    def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(self._path), options, providers=["CPUExecutionProvider"]
        )
        self.ready = True
        return True

    async def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:
        scores = self._session.run(None, {"features": payload.inputs[0].as_numpy()})[0]
        output = InferOutput("scores", list(scores.shape), "FP32")
        output.set_data_from_numpy(scores, binary_data=True)
        return InferResponse(payload.id, self.name, [output])


def listen_on_loopback() -> None:
    make_server, configure = grpc.aio.server, uvicorn.Config.__init__

    def server(*given, **named):
        made = make_server(*given, **named)
        add_port = made.add_insecure_port
        made.add_insecure_port = lambda address: add_port(address.replace("[::]", "127.0.0.1"))
        return made

    def configured(config, *given, **named):
        configure(config, *given, **(named | {"host": "127.0.0.1"}))

    grpc.aio.server, uvicorn.Config.__init__ = server, configured


def main() -> None:
    listen_on_loopback()
    repository, (grpc_port, http_port) = Path(sys.argv[1]), map(int, sys.argv[2:4])
    models = []
    for path in sorted(repository.glob("*/model-settings.json")):
        settings = json.loads(path.read_text())
        models.append(OnnxModel(settings["name"], path.parent / settings["parameters"]["uri"]))
    ModelServer(http_port=http_port, grpc_port=grpc_port, enable_latency_logging=False).start(models)


if __name__ == "__main__":
    main()
