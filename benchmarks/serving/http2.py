"""Just enough HTTP/2 to ask one gRPC method again and again with bytes made before.

A client of gRPC's own in Python costs nearly as much as a server in Python, so on a small machine it would be
part of what is measured. This one is cheap: a request is two frames, which differ from the last ones by a
number.
"""

import asyncio
import struct
import time
from collections.abc import Callable

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GO_AWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1
_MAX_WINDOW = 2**31 - 1


class Caller(asyncio.Protocol):
    """One connection with one call under way at a time: the next one begins when an answer is there.

    Args:
        path: of the method, as in "/package.Service/Method".
        next_message: the message to ask next; None ends it.
        answered: told the answer's message, None for a call that failed, and the seconds that it took.
    """

    def __init__(
        self,
        path: str,
        next_message: Callable[[], bytes | None],
        answered: Callable[[bytes | None, float], None],
    ) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._headers = _literal_headers(path)
        self._next_message = next_message
        self._answered = answered
        self._stream = -1
        self._buffer = bytearray()
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        # Windows so large that none has to be opened again.
        settings = _frame(_SETTINGS, 0, 0, struct.pack(">HI", 4, _MAX_WINDOW))
        window = _frame(_WINDOW, 0, 0, struct.pack(">I", _MAX_WINDOW - 65535))
        transport.write(_PREFACE + settings + window)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 9:
            length = int.from_bytes(self._buffer[:3])
            if len(self._buffer) < 9 + length:
                return
            kind, flags, stream = self._buffer[3], self._buffer[4], int.from_bytes(self._buffer[5:9])
            payload = bytes(self._buffer[9 : 9 + length])
            del self._buffer[: 9 + length]
            self._receive(kind, flags, stream, payload)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server hung up"))

    def _receive(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._body += payload
        if kind == _SETTINGS and not flags & _ACK:
            self._transport.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _GO_AWAY:
            self._transport.abort()
        elif stream == self._stream and kind == _RESET:
            self._end(failed=True)
        elif stream == self._stream and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            self._end(failed=False)

    def _end(self, *, failed: bool) -> None:
        # A call that fails has trailers and no message.
        message = None if failed or len(self._body) < 5 else bytes(self._body[5:])
        self._answered(message, time.perf_counter() - self._began)
        self._ask()

    def _ask(self) -> None:
        message = self._next_message()
        if message is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._stream += 2
        self._body.clear()
        body = struct.pack(">BI", 0, len(message)) + message
        self._began = time.perf_counter()
        self._transport.write(
            _frame(_HEADERS, _END_HEADERS, self._stream, self._headers)
            + _frame(_DATA, _END_STREAM, self._stream, body)
        )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _literal_headers(path: str) -> bytes:
    """Headers of a gRPC call in HPACK, each spelled out."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "127.0.0.1",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    assert all(len(value) < 127 for value in headers.values())
    return b"".join(
        bytes((0, len(name))) + name.encode() + bytes((len(value),)) + value.encode()
        for name, value in headers.items()
    )
