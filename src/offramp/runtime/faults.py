"""What gRPC's errors say about a tail, in words that tell what to do."""

from __future__ import annotations

import grpc

from offramp.errors import PeerError, TailBusyError, TailRefusedError, TailUnreachableError

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
_TOO_LARGE = "larger than max"  # in the details of RESOURCE_EXHAUSTED: no matter of load


def peer_error(error: grpc.RpcError, *, tail: str, deadline_s: float, encrypted: bool) -> PeerError:
    """The error to raise.

    Args:
        tail: its address.
        deadline_s: what the call had.
        encrypted: whether we speak TLS.
    """
    code, details = error.code(), str(error.details())[:500]
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return TailRefusedError(
            f"tail {tail} refused, UNAUTHENTICATED: {details}; give a token of its --token-file",
            status=code.name,
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TailUnreachableError(f"tail {tail} gave no answer within {deadline_s:g} s")
    if code is grpc.StatusCode.CANCELLED:  # a server that stops, or this side
        return TailUnreachableError(f"tail {tail} gave up the request: {details}")
    if code is grpc.StatusCode.UNAVAILABLE:
        return _no_connection(details, tail, encrypted)
    busy = code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE not in details
    kind = TailBusyError if busy else TailRefusedError
    return kind(f"tail {tail} refused, {code.name}: {details}", status=code.name)


def _no_connection(details: str, tail: str, encrypted: bool) -> PeerError:
    # gRPC has one status for a server that is dead and one that is not whom we trust; the words differ.
    for words, meaning in _HANDSHAKE.items():
        if words in details:
            return TailRefusedError(f"tail {tail} {meaning}")
    # With TLS 1.3 a server judges our certificate after our side of the handshake is done, so all that
    # we see is that it hangs up, as it does where it speaks TLS and we do not.
    if _CONNECTING in details and any(words in details for words in _CLOSED):
        maybe = "does not take our certificate, or asks for one" if encrypted else "speaks TLS (--ca)"
        details += f"; perhaps it {maybe}"
    return TailUnreachableError(f"tail {tail} is not there: {details}")
