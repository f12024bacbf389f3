"""Parts of a bundle, and the whole of it, as models of ONNX with standard operators only."""

from offramp.export.onnx.files import tensors, write_onnx
from offramp.export.onnx.model import missing_parts, onnx_device_model, onnx_models, onnx_tail_model, to_onnx

__all__ = [
    "missing_parts",
    "onnx_device_model",
    "onnx_models",
    "onnx_tail_model",
    "tensors",
    "to_onnx",
    "write_onnx",
]
