"""Settings to what gRPC takes, following files that are replaced."""

from __future__ import annotations

import grpc

from offramp.runtime.security.certificates import read_authorities, read_identity
from offramp.runtime.security.settings import ClientSecurity, ServerSecurity
from offramp.runtime.security.tokens import Tokens
from offramp.runtime.security.watched import Watched


class ServerCredentials:
    """What a server shows and asks for; certificates are read again for new connections.

    Raises:
        ConfigError: files that cannot be used, see `read_identity`, `read_authorities` and `Tokens`.
    """

    def __init__(self, security: ServerSecurity) -> None:
        self._security = security
        self._told: grpc.ServerCertificateConfiguration | None = None
        self.tokens = None if security.token_file is None else Tokens(security.token_file)
        paths = (security.tls_cert, security.tls_key, security.client_ca)
        self._configuration = (
            Watched([path for path in paths if path], self._read) if security.has_tls else None
        )

    def for_grpc(self) -> grpc.ServerCredentials | None:
        """For `add_secure_port`; none without TLS."""
        if self._configuration is None:
            return None
        self._told = self._configuration()
        return grpc.dynamic_ssl_server_credentials(
            self._told,
            self._changed,
            require_client_authentication=self._security.client_ca is not None,
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """gRPC asks at each new connection, in threads of its own; those that are open stay as they are."""
        assert self._configuration is not None, "only a server with TLS is asked"
        newest = self._configuration()
        if newest is self._told:
            return None
        self._told = newest
        return newest

    def _read(self) -> grpc.ServerCertificateConfiguration:
        cert, key, client_ca = self._security.tls_cert, self._security.tls_key, self._security.client_ca
        assert cert is not None, "it was checked that there is TLS"
        assert key is not None, "the settings hold both or none"
        identity = read_identity(cert, key, "server")
        return grpc.ssl_server_certificate_configuration(
            [(identity.key, identity.cert)],
            root_certificates=None if client_ca is None else read_authorities(client_ca),
        )


class ClientCredentials:
    """What a client shows and trusts.

    Raises:
        ConfigError: files that cannot be used, see `read_identity`, `read_authorities` and `Tokens`.
    """

    def __init__(self, security: ClientSecurity) -> None:
        self._security = security
        self._tokens = None if security.token_file is None else Tokens(security.token_file)
        paths = (security.ca, security.cert, security.key)
        self._channel = Watched([path for path in paths if path], self._read) if security.ca else None

    def for_grpc(self) -> grpc.ChannelCredentials | None:
        """For `secure_channel`, none without TLS; another object once the files have changed."""
        return None if self._channel is None else self._channel()

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return () if self._tokens is None else self._tokens.metadata()

    def _read(self) -> grpc.ChannelCredentials:
        ca, cert, key = self._security.ca, self._security.cert, self._security.key
        assert ca is not None, "it was checked that there is TLS"
        own = None if cert is None or key is None else read_identity(cert, key, "client")
        shown = (None, None) if own is None else (own.key, own.cert)
        return grpc.ssl_channel_credentials(read_authorities(ca), *shown)
