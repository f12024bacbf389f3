"""Parts of a bundle as models of ONNX, of standard operators only."""

from offramp.export.onnx.model import onnx_tail_model, to_onnx

__all__ = ["onnx_tail_model", "to_onnx"]
