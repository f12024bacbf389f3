"""Who may talk to whom: TLS with certificates of both sides, bearer tokens, and where neither is needed."""

from offramp.runtime.security.credentials import ClientCredentials, ServerCredentials
from offramp.runtime.security.settings import ClientSecurity, ServerSecurity
from offramp.runtime.security.tokens import TokenGuard, Tokens

__all__ = [
    "ClientCredentials",
    "ClientSecurity",
    "ServerCredentials",
    "ServerSecurity",
    "TokenGuard",
    "Tokens",
]
