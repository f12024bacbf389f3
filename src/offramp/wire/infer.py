"""ModelInfer: the request and the response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from offramp.wire import open_inference_pb2 as oip
from offramp.wire.messages import parse, serialize
from offramp.wire.parameters import Parameter, read_parameters, write_parameters
from offramp.wire.tensors import Tensor, read_tensors


@dataclass(frozen=True)
class InferRequest:
    """What is asked of which model; `id` comes back in the response, `outputs` empty means all of them."""

    model_name: str
    inputs: tuple[Tensor, ...]
    model_version: str = ""
    id: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """The message, with raw contents."""
        message = oip.ModelInferRequest(
            model_name=self.model_name,
            model_version=self.model_version,
            id=self.id,
            parameters=write_parameters(self.parameters),
            inputs=[
                oip.ModelInferRequest.InferInputTensor(
                    name=tensor.name, datatype=tensor.datatype, shape=tensor.array.shape
                )
                for tensor in self.inputs
            ],
            outputs=[oip.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in self.outputs],
            raw_input_contents=[tensor.raw() for tensor in self.inputs],
        )
        return serialize(message)

    @classmethod
    def from_bytes(cls, data: bytes) -> InferRequest:
        """The request in a message with raw or typed contents.

        Raises:
            WireError: the bytes are no such message, or contradict themselves.
        """
        message = parse(oip.ModelInferRequest, data)
        return cls(
            model_name=message.model_name,
            model_version=message.model_version,
            id=message.id,
            parameters=read_parameters(message.parameters),
            inputs=read_tensors(message.inputs, message.raw_input_contents),
            outputs=tuple(output.name for output in message.outputs),
        )


@dataclass(frozen=True)
class InferResponse:
    """What a model answered."""

    model_name: str
    outputs: tuple[Tensor, ...]
    model_version: str = ""
    id: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The message, with raw contents: some clients read no other."""
        message = oip.ModelInferResponse(
            model_name=self.model_name,
            model_version=self.model_version,
            id=self.id,
            parameters=write_parameters(self.parameters),
            outputs=[
                oip.ModelInferResponse.InferOutputTensor(
                    name=tensor.name, datatype=tensor.datatype, shape=tensor.array.shape
                )
                for tensor in self.outputs
            ],
            raw_output_contents=[tensor.raw() for tensor in self.outputs],
        )
        return serialize(message)

    @classmethod
    def from_bytes(cls, data: bytes) -> InferResponse:
        """The response in a message with raw or typed contents.

        Raises:
            WireError: the bytes are no such message, or contradict themselves.
        """
        message = parse(oip.ModelInferResponse, data)
        return cls(
            model_name=message.model_name,
            model_version=message.model_version,
            id=message.id,
            parameters=read_parameters(message.parameters),
            outputs=read_tensors(message.outputs, message.raw_output_contents),
        )
