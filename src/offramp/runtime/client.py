"""The edge's side of the connection to a tail."""

from __future__ import annotations

import re

import grpc
import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.errors import ConfigError, TailRefusedError, TailUnreachableError, WireError

_ADDRESS = re.compile(r"([^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")

MAX_MESSAGE_BYTES = (
    1024 * 1024
)  # of an edge's request and its answer; a tail takes 4 MiB unless told otherwise

_OPTIONS = [
    # A tail that is back should be found again soon; gRPC would wait for seconds, then minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Also the time a connection attempt may take, so it must be well above a slow link's round trip.
    ("grpc.min_reconnect_backoff_ms", 2000),
    # One attempt: the exit's verdict is at hand, and is worth more than a late answer.
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),  # the address given is the address called
    ("grpc.use_local_subchannel_pool", 1),  # two edges in one process are two devices
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
]


class TailClient:
    """Asks one tail over one connection, which is kept, and found again when it breaks. Thread-safe.

    Args:
        address: "host:port".
        deadline_s: the longest that connecting and answering may take together.

    Raises:
        ConfigError: no such address, or no such deadline.
    """

    def __init__(self, address: str, *, deadline_s: float) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ConfigError(f"tail address {address!r}; use host:port, for example 127.0.0.1:8001")
        if not 0 < deadline_s < 3600:
            raise ConfigError(f"deadline_s={deadline_s}; use a number of seconds above 0, below 3600")
        self._address = address
        self._deadline_s = deadline_s
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._infer = self._channel.unary_unary(f"/{wire.SERVICE}/ModelInfer")
        self._model_ready = self._channel.unary_unary(f"/{wire.SERVICE}/ModelReady")

    def scores(self, request: wire.InferRequest, *, n_rows: int, n_classes: int) -> npt.NDArray[np.float32]:
        """The tail's scores (n_rows, n_classes) for a request of so many rows: all of them, or an error.

        Raises:
            TailUnreachableError: nobody there, or not in time.
            TailRefusedError: the tail answered with an error.
            WireError: an answer that cannot be believed.
        """
        try:
            data = self._infer(request.to_bytes(), timeout=self._deadline_s, wait_for_ready=False)
        except grpc.RpcError as error:
            raise self._peer_error(error) from error
        response = wire.InferResponse.from_bytes(data)
        return wire.read_scores(response, id=request.id, n_rows=n_rows, n_classes=n_classes)

    def wait_until_ready(self, model_name: str, timeout_s: float) -> bool:
        """Connects now; whether the tail says within `timeout_s` that this model is ready."""
        query = wire.ModelQuery(model_name).to_bytes()
        try:
            return wire.read_ready(self._model_ready(query, timeout=timeout_s, wait_for_ready=True))
        except (grpc.RpcError, WireError):
            return False

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _peer_error(self, error: grpc.RpcError) -> TailUnreachableError | TailRefusedError:
        code, details = error.code(), str(error.details())[:500]
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return TailUnreachableError(f"tail {self._address} gave no answer within {self._deadline_s} s")
        if code is grpc.StatusCode.UNAVAILABLE:
            return TailUnreachableError(f"tail {self._address} is not there: {details}")
        return TailRefusedError(f"tail {self._address} refused, {code.name}: {details}")
