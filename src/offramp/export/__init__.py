"""Parts of a bundle in forms that other programs run. Free of Torch."""

from offramp.export.folder import check_folder, write_folder
from offramp.export.onnx import (
    missing_parts,
    onnx_device_model,
    onnx_models,
    onnx_tail_model,
    to_onnx,
    write_onnx,
)
from offramp.export.repository import write_repository

__all__ = [
    "check_folder",
    "missing_parts",
    "onnx_device_model",
    "onnx_models",
    "onnx_tail_model",
    "to_onnx",
    "write_folder",
    "write_onnx",
    "write_repository",
]
