"""Ray itself: found, and joined or started."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from offramp.errors import ConfigError, MissingDependencyError, PeerError

_MIB = 2**20
_PROBE_S = 5.0

# Read by Ray when it is imported, and by the processes that it starts. The second is how Ray is told, on any
# system, that all of it stays on this machine: it then listens on loopback and nowhere else. Loopback is open
# to every user of a machine, and whoever reaches Ray runs code as its user; hence a token.
_LOCAL = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
}


@contextmanager
def cluster(address: str | None, *, n_cpus: int, stored_bytes: int) -> Iterator[Any]:
    """The module `ray`, connected until the block ends.

    Args:
        address: of a cluster to join: host:port, or "auto" for the one that this machine belongs to; None
            starts one here that nobody else can reach, and ends it.
        n_cpus, stored_bytes: what a cluster of our own has to offer.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigError: Ray is in use in this process already.
        PeerError: no such cluster, or it does not take us.
    """
    with ExitStack() as running:
        settings: dict[str, Any] = {"address": address}
        if address is None:
            folder = running.enter_context(tempfile.TemporaryDirectory(prefix="offramp-ray-"))
            settings = {
                "address": "local",
                "num_cpus": n_cpus,
                "object_store_memory": 128 * _MIB + 2 * stored_bytes,
                "include_dashboard": False,
                "_temp_dir": folder,
            }
            running.enter_context(_environment(_LOCAL | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}))
        else:
            _probe(address)
        ray = _imported()
        if ray.is_initialized():
            raise ConfigError("Ray is in use in this process already; serve from a process of its own")
        running.callback(ray.shutdown)
        _connect(ray, settings)
        if address is None and not ray.util.get_node_ip_address().startswith("127."):
            raise ConfigError(
                "Ray was imported before it could be told to stay on loopback; do not import it"
            )
        yield ray


def pinned(ray: Any, value: object) -> bytes:
    """Where the cluster has a value, from now until this process leaves; see `unpinned`.

    As an argument of an actor a reference would be let go of once the actor is there, and its next life would
    find nothing. Ray never lets go of one that it was asked to write down.
    """
    where: bytes = ray.cloudpickle.dumps(ray.put(value))
    return where


def unpinned(where: bytes) -> Any:
    """The value that a process of the cluster has `pinned`."""
    import ray

    return ray.get(ray.cloudpickle.loads(where))


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ |= settings
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            "tails on Ray need ray, which is not installed; run: pip install 'offramp[ray]'"
        ) from error
    return ray


def _probe(address: str) -> None:
    """Ray would try for a minute, in its own words, and end this process."""
    host, colon, port = address.rpartition(":")
    if address == "auto":
        return
    if not colon or not port.isdigit() or "/" in host:
        raise ConfigError(f"Ray address {address!r}; use host:port, for example 192.0.2.7:6379, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PROBE_S).close()
    except (OSError, OverflowError) as error:
        raise PeerError(
            f"no Ray cluster at {address}: {error}; give the address that `ray start --head` printed"
        ) from error


def _connect(ray: Any, settings: dict[str, Any]) -> None:
    try:
        ray.init(**settings, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        why = str(error).strip().partition("\n")[0]
        raise PeerError(
            f"Ray does not start or does not let us in: {why}; a cluster's token goes into RAY_AUTH_TOKEN,"
            " with RAY_AUTH_MODE=token"
        ) from error
