"""The protocol's parameters as a plain mapping."""

from __future__ import annotations

from collections.abc import Mapping

from offramp.errors import InputError, WireError
from offramp.wire import open_inference_pb2 as oip

Parameter = bool | int | float | str


def write_parameters(parameters: Mapping[str, Parameter]) -> dict[str, oip.InferParameter]:
    """Parameters as messages.

    Raises:
        InputError: a whole number outside -2**63 .. 2**64 - 1.
    """
    return {name: _write(name, value) for name, value in parameters.items()}


def read_parameters(messages: Mapping[str, oip.InferParameter]) -> dict[str, Parameter]:
    """Messages as parameters.

    Raises:
        WireError: a parameter without a value.
    """
    return {name: _read(name, message) for name, message in messages.items()}


def _write(name: str, value: Parameter) -> oip.InferParameter:
    if isinstance(value, bool):  # before int: True is one
        return oip.InferParameter(bool_param=value)
    if isinstance(value, str):
        return oip.InferParameter(string_param=value)
    if isinstance(value, float):
        return oip.InferParameter(double_param=value)
    if -(2**63) <= value < 2**63:
        return oip.InferParameter(int64_param=value)
    if 0 < value < 2**64:
        return oip.InferParameter(uint64_param=value)
    raise InputError(f"parameter {name!r} is {value}; a whole number must fit in 64 bits")


def _read(name: str, message: oip.InferParameter) -> Parameter:
    choice = message.WhichOneof("parameter_choice")
    if choice is None:
        raise WireError(f"parameter {name!r} has no value")
    value: Parameter = getattr(message, choice)
    return value
