"""An ONNX model with one input and one output in MLServer, which has no runtime for ONNX of its own.

`offramp export repository` copies this file beside each model; it needs mlserver, onnxruntime and NumPy only.
"""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class OnnxModel(MLModel):  # type: ignore[misc] # MLServer is not installed where types are checked
    """Reads the file that `parameters.uri` of model-settings.json names."""

    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # a tail is small: more threads wait for one another
        self._session = onnxruntime.InferenceSession(
            await get_model_uri(self._settings), options, providers=["CPUExecutionProvider"]
        )
        (self._reads,) = (tensor.name for tensor in self._session.get_inputs())
        (self._writes,) = (tensor.name for tensor in self._session.get_outputs())
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        if len(payload.inputs) != 1 or str(payload.inputs[0].datatype) != "FP32":
            raise InferenceError(f"this model reads one FP32 tensor, {self._reads!r}")
        rows = NumpyCodec.decode_input(payload.inputs[0])
        try:
            scores = self._session.run([self._writes], {self._reads: rows})[0]
        except Exception as error:
            raise InferenceError(str(error)) from error
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output(self._writes, scores)],
        )
