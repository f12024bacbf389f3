"""What a server says about itself and its models."""

from __future__ import annotations

from dataclasses import dataclass

from offramp.wire import open_inference_pb2 as oip
from offramp.wire.messages import parse, serialize


def live_response(live: bool) -> bytes:
    """The answer to ServerLive."""
    return serialize(oip.ServerLiveResponse(live=live))


def ready_response(ready: bool) -> bytes:
    """The answer to ServerReady and ModelReady, which look the same on the wire."""
    return serialize(oip.ModelReadyResponse(ready=ready))


def read_ready(data: bytes) -> bool:
    """What an answer to ServerReady or ModelReady says.

    Raises:
        WireError: the bytes are no such message.
    """
    return parse(oip.ModelReadyResponse, data).ready


@dataclass(frozen=True)
class ModelQuery:
    """Which model ModelReady or ModelMetadata asks about; the two requests look the same on the wire."""

    name: str
    version: str = ""

    def to_bytes(self) -> bytes:
        """The message."""
        return serialize(oip.ModelReadyRequest(name=self.name, version=self.version))

    @classmethod
    def from_bytes(cls, data: bytes) -> ModelQuery:
        """The query in a message.

        Raises:
            WireError: the bytes are no such message.
        """
        message = parse(oip.ModelReadyRequest, data)
        return cls(message.name, message.version)


@dataclass(frozen=True)
class ServerMetadata:
    """The answer to ServerMetadata."""

    name: str
    version: str
    extensions: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """The message."""
        return serialize(
            oip.ServerMetadataResponse(name=self.name, version=self.version, extensions=self.extensions)
        )


@dataclass(frozen=True)
class TensorSpec:
    """A tensor that a model reads or writes; -1 in the shape is any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelMetadata:
    """The answer to ModelMetadata."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    versions: tuple[str, ...] = ("1",)
    platform: str = "offramp"

    def to_bytes(self) -> bytes:
        """The message."""
        message = oip.ModelMetadataResponse(
            name=self.name,
            versions=self.versions,
            platform=self.platform,
            inputs=[_spec_message(spec) for spec in self.inputs],
            outputs=[_spec_message(spec) for spec in self.outputs],
        )
        return serialize(message)


def _spec_message(spec: TensorSpec) -> oip.ModelMetadataResponse.TensorMetadata:
    return oip.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)
