"""What secures a wire, as settings, and which addresses they are enough for."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from offramp.errors import ConfigError


@dataclass(frozen=True)
class ServerSecurity:
    """How a tail is secured. Fields are named as the options of `offramp serve`; files are PEM.

    Args:
        tls_cert, tls_key: the server's certificate, with those between it and its authority, and its private
            key; neither for no TLS.
        client_ca: authorities; only clients with a certificate of one of them are let in.
        token_file: see `Tokens`; every call must carry one of them.
        insecure: be reachable from elsewhere without TLS.

    Raises:
        ConfigError: settings that do not go together.
    """

    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    token_file: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        _check_pair("--tls-cert", self.tls_cert, "--tls-key", self.tls_key)
        if self.client_ca is not None and not self.has_tls:
            raise ConfigError(
                f"--client-ca {self.client_ca} checks certificates, and there is no TLS;"
                " give --tls-cert and --tls-key too"
            )
        if self.insecure and self.has_tls:
            raise ConfigError("--insecure is for a server without TLS; leave out that or --tls-cert")

    @property
    def has_tls(self) -> bool:
        return self.tls_cert is not None

    @property
    def words(self) -> str:
        """What there is, for people; empty for nothing."""
        tls = "TLS" if self.client_ca is None else "TLS with client certificates"
        parts = ([tls] if self.has_tls else []) + (["tokens"] if self.token_file else [])
        return " and ".join(parts)

    def exposes(self, host: str) -> bool:
        """Whether a server there can be reached from elsewhere without TLS."""
        return not (self.has_tls or is_loopback(host))

    def check_host(self, host: str) -> None:
        """Refuse to be reachable from elsewhere without TLS, unless `insecure`.

        Raises:
            ConfigError: it would be.
        """
        if self.exposes(host) and not self.insecure:
            raise ConfigError(
                f"{host!r} can be reached from elsewhere and there is no TLS; give --tls-cert and --tls-key,"
                " listen on 127.0.0.1, or say --insecure in a network that you trust"
            )


@dataclass(frozen=True)
class ClientSecurity:
    """How an edge is secured. Fields are named as the options of `offramp run`; files are PEM.

    Args:
        ca: authorities, one of which must have signed the server's certificate; none for no TLS.
        cert, key: the client's own certificate and private key, for a server that asks for them.
        token_file: see `Tokens`; the first is sent with every call.

    Raises:
        ConfigError: settings that do not go together.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    token_file: Path | None = None

    def __post_init__(self) -> None:
        _check_pair("--cert", self.cert, "--key", self.key)
        if self.cert is not None and self.ca is None:
            raise ConfigError(
                f"--cert {self.cert} is for TLS; give --ca too, which signed the server's certificate"
            )

    def check_host(self, host: str) -> None:
        """Refuse to send a token where others can read it.

        Raises:
            ConfigError: it would be.
        """
        if self.token_file is not None and self.ca is None and not is_loopback(host):
            raise ConfigError(
                f"a token for {host!r} would cross the network in the clear; give --ca for TLS,"
                " or leave out --token-file"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine is behind it; of names, `localhost` alone (RFC 6761)."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _check_pair(cert_name: str, cert: Path | None, key_name: str, key: Path | None) -> None:
    if (cert is None) is not (key is None):
        given, missing = (cert_name, key_name) if key is None else (key_name, cert_name)
        raise ConfigError(f"{given} without {missing}; a certificate and its key go together")
