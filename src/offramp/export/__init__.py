"""Parts of a bundle in forms that other programs run. Free of Torch."""

from offramp.export.onnx_model import onnx_tail_model, to_onnx
from offramp.export.repository import check_repository, write_repository

__all__ = ["check_repository", "onnx_tail_model", "to_onnx", "write_repository"]
