"""The edge's side of the connection to a tail."""

from __future__ import annotations

import re
import threading
from typing import NamedTuple

import grpc
import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.errors import ConfigError, TailRefusedError, TailUnreachableError, WireError
from offramp.runtime.security import ClientCredentials, ClientSecurity

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

# Words in the details of UNAVAILABLE, and what they mean.
_HANDSHAKE = {
    "WRONG_VERSION_NUMBER": "speaks no TLS; leave out --ca, or give the server --tls-cert and --tls-key",
    "certificate has expired": "shows a certificate that has expired; it must be renewed there",
    "CERTIFICATE_VERIFY_FAILED": "shows a certificate that no authority of --ca has signed for a server",
    "Hostname Verification": "shows a certificate for another name; call it by a name that is in there",
    "handshake failed": "made no TLS connection with us, and does not say why",
}
_CONNECTING = "failed to connect"
_CLOSED = ("Socket closed", "Connection reset")


class _Calls(NamedTuple):
    """The calls of one channel, which closes when nobody holds them any more."""

    infer: grpc.UnaryUnaryMultiCallable
    model_ready: grpc.UnaryUnaryMultiCallable
    channel: grpc.Channel


class TailClient:
    """Asks one tail over one connection, which is kept, and found again when it breaks. Thread-safe.

    Every request carries a check. An answer with a wrong one is refused, and from the first answer with a
    right one on also an answer with none: a tail of ours is there, and damage took the check away.

    Args:
        address: "host:port".
        deadline_s: the longest that connecting and answering may take together.
        security: TLS and token; both are followed when their files change, by a new connection for TLS.

    Raises:
        ConfigError: no such address, no such deadline, files of `security` that cannot be used, or a token
            that would cross a network in the clear.
    """

    def __init__(self, address: str, *, deadline_s: float, security: ClientSecurity | None = None) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ConfigError(f"tail address {address!r}; use host:port, for example 127.0.0.1:8001")
        if not 0 < deadline_s < 3600:
            raise ConfigError(f"deadline_s={deadline_s}; use a number of seconds above 0, below 3600")
        self._address = address
        self._deadline_s = deadline_s
        security = security or ClientSecurity()
        security.check_host(match[1])
        self._credentials = ClientCredentials(security)
        self._gives_checks = False  # a foreign server never does
        self._lock = threading.Lock()
        self._shown = self._credentials.for_grpc()
        self._newest = self._calls_of(self._shown)

    def scores(self, request: wire.InferRequest, *, n_rows: int, n_classes: int) -> npt.NDArray[np.float32]:
        """The tail's scores (n_rows, n_classes) for a request of so many rows: all of them, or an error.

        Raises:
            TailUnreachableError: nobody there, or not in time.
            TailRefusedError: the tail answered with an error.
            WireError: an answer that cannot be believed.
        """
        request = wire.checked_request(request)
        try:
            data = self._calls().infer(
                request.to_bytes(),
                timeout=self._deadline_s,
                metadata=self._credentials.metadata(),
                wait_for_ready=False,
            )
        except grpc.RpcError as error:
            raise self._peer_error(error) from error
        response = wire.InferResponse.from_bytes(_there(data))
        scores = wire.read_scores(response, id=request.id, n_rows=n_rows, n_classes=n_classes)
        if wire.verify_response(response, request):
            self._gives_checks = True
        elif self._gives_checks:
            raise WireError(
                f"an answer without the check that tail {self._address} gives; it was damaged on its way, or"
                " another server took the tail's place: then make a new edge"
            )
        return scores

    def wait_until_ready(self, model_name: str, timeout_s: float) -> bool:
        """Connects now; whether the tail says within `timeout_s` that this model is ready."""
        query, metadata = wire.ModelQuery(model_name).to_bytes(), self._credentials.metadata()
        try:
            data = self._calls().model_ready(query, timeout=timeout_s, metadata=metadata, wait_for_ready=True)
            return wire.read_ready(_there(data))
        except (grpc.RpcError, WireError):
            return False

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            self._newest.channel.close()

    def _calls(self) -> _Calls:
        """The calls to make now; calls of an earlier channel that are under way still come to their end."""
        with self._lock:
            credentials = self._credentials.for_grpc()
            if credentials is not self._shown:
                self._shown, self._newest = credentials, self._calls_of(credentials)
            return self._newest

    def _calls_of(self, credentials: grpc.ChannelCredentials | None) -> _Calls:
        if credentials is None:
            channel = grpc.insecure_channel(self._address, options=_OPTIONS)
        else:
            channel = grpc.secure_channel(self._address, credentials, options=_OPTIONS)
        infer, ready = (
            channel.unary_unary(f"/{wire.SERVICE}/{name}") for name in ("ModelInfer", "ModelReady")
        )
        return _Calls(infer, ready, channel)

    def _peer_error(self, error: grpc.RpcError) -> TailUnreachableError | TailRefusedError:
        code, details = error.code(), str(error.details())[:500]
        if code is grpc.StatusCode.UNAUTHENTICATED:
            return TailRefusedError(
                f"tail {self._address} refused, UNAUTHENTICATED: {details}; give a token of its --token-file"
            )
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return TailUnreachableError(f"tail {self._address} gave no answer within {self._deadline_s} s")
        if code is grpc.StatusCode.UNAVAILABLE:
            return self._no_connection(details)
        return TailRefusedError(f"tail {self._address} refused, {code.name}: {details}")

    def _no_connection(self, details: str) -> TailUnreachableError | TailRefusedError:
        # gRPC has one status for a server that is dead and one that is not whom we trust; the words differ.
        for words, meaning in _HANDSHAKE.items():
            if words in details:
                return TailRefusedError(f"tail {self._address} {meaning}")
        # With TLS 1.3 a server judges our certificate after our side of the handshake is done, so all that
        # we see is that it hangs up, as it does where it speaks TLS and we do not.
        if _CONNECTING in details and any(words in details for words in _CLOSED):
            maybe = "does not take our certificate, or asks for one" if self._shown else "speaks TLS (--ca)"
            details += f"; perhaps it {maybe}"
        return TailUnreachableError(f"tail {self._address} is not there: {details}")


def _there(data: bytes | None) -> bytes:
    """The answer; gRPC gives None where a call ended well and its message was lost to damage on the way."""
    if data is None:
        raise WireError("the call ended without an answer; it was damaged on its way")
    return data
