"""Bearer tokens: a secret in the metadata of every call (RFC 6750)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import grpc

from offramp.errors import ConfigError
from offramp.runtime.security.watched import Watched, read_secret

HEADER = "authorization"
MIN_CHARACTERS = 16
REFUSAL = "missing or wrong token"

_SCHEME = "Bearer "
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


class Tokens:
    """The tokens of a file, one a line, read again when it changes. Lines that begin with # do not count.

    Several lines let a new token be given out before the old one ends.

    Raises:
        ConfigError: a file that cannot be read, without a token, or with one that is no token.
    """

    def __init__(self, path: Path) -> None:
        self._tokens = Watched([path], lambda: _read(path))

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What a client sends: the first token."""
        return ((HEADER, _SCHEME + self._tokens()[0].decode()),)

    def accepts(self, authorization: str | bytes | None) -> bool:
        """Whether the header holds one of the tokens; the time does not tell how much of it is right."""
        given = authorization.encode() if isinstance(authorization, str) else authorization or b""
        # Digests, since a comparison's time tells the length; and all of them, whichever is right.
        digest, scheme = sha256(given[len(_SCHEME) :]).digest(), given[: len(_SCHEME)].lower()
        found = [hmac.compare_digest(digest, sha256(token).digest()) for token in self._tokens()]
        return any(found) and scheme == _SCHEME.lower().encode()


class TokenGuard(grpc.aio.ServerInterceptor):  # type: ignore[misc] # gRPC has no types
    """Lets calls through that carry one of the tokens; others get UNAUTHENTICATED, whatever they ask."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        # Streaming, so that an answer is given before a message is read; callers of any kind take it.
        self._refusal = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        given = [value for name, value in handler_call_details.invocation_metadata if name == HEADER]
        if len(given) == 1 and self._tokens.accepts(given[0]):
            return await continuation(handler_call_details)
        return self._refusal


async def _refuse(_: object, context: grpc.aio.ServicerContext) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSAL)


def _read(path: Path) -> tuple[bytes, ...]:
    lines = [line.strip() for line in read_secret(path).splitlines()]
    tokens = tuple(line for line in lines if line and not line.startswith(b"#"))
    if not tokens:
        raise ConfigError(f"{path}: holds no token; write one, for example: openssl rand -hex 32")
    for number, token in enumerate(tokens, start=1):  # which are secret, and never in a message
        if len(token) < MIN_CHARACTERS or not _TOKEN.fullmatch(token):
            raise ConfigError(
                f"{path}: token {number} is no bearer token of {MIN_CHARACTERS} characters or more"
                " (letters, digits and -._~+/); make one, for example: openssl rand -hex 32"
            )
    return tokens
