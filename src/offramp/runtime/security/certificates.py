"""Certificates and keys from PEM files, checked before anybody is asked to believe them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from offramp.errors import ConfigError
from offramp.runtime.security.watched import read_secret, read_small

Side = Literal["server", "client"]

_MAX_FLIGHTS = 8  # of a handshake; TLS 1.3 takes three


@dataclass(frozen=True)
class Identity:
    """A certificate, with those between it and its authority, and its private key; PEM."""

    cert: bytes
    key: bytes = field(repr=False)


def read_identity(cert: Path, key: Path, side: Side) -> Identity:
    """A certificate and its key, which a peer that knows the authority would accept today.

    Raises:
        ConfigError: a file that cannot be read, is not PEM or is encrypted; a key of another certificate; one
            that has expired, is not valid yet, or is not for this side of a connection.
    """
    identity = Identity(read_small(cert), read_secret(key))
    if b"-----BEGIN CERTIFICATE-----" not in identity.cert:
        raise ConfigError(f"{cert}: holds no certificate; give one in PEM form")
    if b"PRIVATE KEY-----" not in identity.key:
        raise ConfigError(f"{key}: holds no private key; give one in PEM form")
    if b"ENCRYPTED" in identity.key:
        raise ConfigError(
            f"{key}: the key is encrypted, and nobody is here to type its password; give a plain one"
        )
    try:
        _handshake(cert, key, side)
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(f"{cert}: {error.verify_message}; give a valid certificate for a {side}") from error
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"{key}: not the key of the certificate {cert}; give both of one pair"
            ) from error
        why = error.reason or "damaged"
        raise ConfigError(f"{cert}, {key}: no usable certificate and key ({why}); make them anew") from error
    except OSError as error:  # gone since it was read
        raise ConfigError(f"{error.filename or cert}: {error.strerror}; give it again") from error
    return identity


def read_authorities(path: Path) -> bytes:
    """Certificates of authorities, PEM.

    Raises:
        ConfigError: a file that cannot be read, or holds none.
    """
    content = read_small(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
            cadata=content.decode("ascii", "ignore")
        )
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"{path}: holds no certificate of an authority; give one in PEM form") from error
    return content


def _handshake(cert: Path, key: Path, side: Side) -> None:
    """A handshake in memory with a peer that trusts this very certificate.

    So OpenSSL judges dates and purpose, as the real peer will; the standard library has no other public way.
    """
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT)
    peer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if side == "server" else ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(cert, key, password=lambda: b"")  # never ask a terminal
    for context, mode in ((own, ssl.CERT_NONE), (peer, ssl.CERT_REQUIRED)):
        context.check_hostname = False
        context.verify_mode = mode
    peer.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    peer.load_verify_locations(cert)
    if side == "client":
        peer.load_cert_chain(cert, key, password=lambda: b"")  # a server must have one
    to_own, to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        own.wrap_bio(to_own, to_peer, server_side=side == "server"),
        peer.wrap_bio(to_peer, to_own, server_side=side == "client"),
    ]
    for _ in range(_MAX_FLIGHTS):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue  # the other's turn
