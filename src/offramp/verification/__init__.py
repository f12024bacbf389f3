"""Exported code held against its reference, on the processors that it is for."""

from offramp.verification.climb import Skipped, Step, climb
from offramp.verification.extremes import extremes
from offramp.verification.ladder import Rung, verify
from offramp.verification.onnx import ONNX, verify_onnx
from offramp.verification.reference import Expected, expected

__all__ = [
    "ONNX",
    "Expected",
    "Rung",
    "Skipped",
    "Step",
    "climb",
    "expected",
    "extremes",
    "verify",
    "verify_onnx",
]
