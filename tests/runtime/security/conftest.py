import pytest

from offramp.runtime import ClientSecurity, ServerSecurity


class Files:
    """Copies of certificates, and tokens, in a folder where they are replaced as one replaces such files."""

    def __init__(self, folder, certificates):
        self.folder = folder
        self._certificates = certificates

    def token(self, *tokens, to="token"):
        return self._put(self.folder / to, "\n".join(tokens).encode())

    def cert(self, name, *, to):
        return self._put(self.folder / f"{to}.pem", self._certificates.cert(name).read_bytes())

    def key(self, name, *, to):
        return self._put(self.folder / f"{to}.key", self._certificates.key(name).read_bytes())

    def pair(self, name, *, to):
        return self.cert(name, to=to), self.key(name, to=to)

    def _put(self, path, content):
        made = path.with_suffix(".new")
        made.write_bytes(content)
        made.chmod(0o600)
        return made.replace(path)


@pytest.fixture
def files(tmp_path, certificates):
    return Files(tmp_path, certificates)


@pytest.fixture
def tls(certificates):
    """A server's settings, and then a client's: TLS with the certificates of these names."""

    def settings(server="server", *, client_ca=None, ca="ca", device=None, tokens=None, token=None):
        own = None if client_ca is None else certificates.cert(client_ca)
        shown = (None, None) if device is None else (certificates.cert(device), certificates.key(device))
        return (
            ServerSecurity(certificates.cert(server), certificates.key(server), own, tokens),
            ClientSecurity(certificates.cert(ca), *shown, token),
        )

    return settings
