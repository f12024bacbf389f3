import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from offramp.errors import ConfigError
from offramp.targets import TARGETS

WITH_SERIAL = [name for name, target in TARGETS.items() if target.has_serial]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def connected(port):
    """A connection to the port, as soon as somebody listens there."""
    for _ in range(1000):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            threading.Event().wait(0.02)
    raise TimeoutError


@pytest.mark.parametrize("emulated", WITH_SERIAL, indirect=True)
def test_a_serial_port_is_a_server_on_loopback(built, emulated):
    program, port, data = built(emulated, "serial"), free_port(), bytes(range(256))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(program.run, data, serial_port=port, timeout_s=30)
        with connected(port) as peer:
            received = b""
            while piece := peer.recv(1):
                received += piece
                peer.sendall(bytes([piece[0] ^ 0x55]))
        assert run.result().output == bytes(byte ^ 0x55 for byte in data)
    assert received == data


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in WITH_SERIAL], indirect=True)
def test_only_targets_with_a_serial_port_take_one(built, target):
    names = ", ".join(WITH_SERIAL)
    with pytest.raises(ConfigError, match=f"^{target.name} has no serial port here; {names} have$"):
        built(target, "echo").run(serial_port=1)
