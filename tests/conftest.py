"""What holds for every test."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine makes an example slow, not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Tests run side by side, one to a core; those that are about threads ask for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")


class Certificates:
    """Authorities, and what they have signed; `NAME.pem` and `NAME.key` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("ca", "foreign-ca"):
            self._openssl("req", "-x509", *self._new_key(name), "-out", self.cert(name))
        for name, purpose, by in (
            ("server", "serverAuth", "ca"),
            ("device", "clientAuth", "ca"),
            ("foreign-server", "serverAuth", "foreign-ca"),
            ("foreign-device", "clientAuth", "foreign-ca"),
        ):
            self._sign(name, purpose, by)
        self._sign("elsewhere", "serverAuth", "ca", names="DNS:elsewhere.example")
        self._sign("between", None, "ca")
        self._sign("chained-server", "serverAuth", "between")
        with self.cert("chained-server").open("ab") as chain:
            chain.write(self.cert("between").read_bytes())
        self._sign("expired-server", "serverAuth", "ca", days=-1)
        self._sign("expired-device", "clientAuth", "ca", days=-1)

    def cert(self, name: str) -> Path:
        return self._folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self._folder / f"{name}.key"

    def _new_key(self, name: str) -> list[object]:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        return [*curve, "-keyout", self.key(name), "-subj", f"/CN={name}"]

    def _sign(
        self,
        name: str,
        purpose: str | None,
        by: str,
        *,
        names: str = "IP:127.0.0.1,DNS:localhost",
        days: int = 2,
    ) -> None:
        """Without a purpose, an authority."""
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(
            f"subjectAltName={names}\nextendedKeyUsage={purpose}\n"
            if purpose
            else "basicConstraints=critical,CA:TRUE\n"
        )
        self._openssl("req", *self._new_key(name), "-out", request)
        signer = ("-CA", self.cert(by), "-CAkey", self.key(by), "-CAcreateserial", "-days", days)
        self._openssl(
            "x509", "-req", "-in", request, *signer, "-extfile", extensions, "-out", self.cert(name)
        )

    def _openssl(self, *arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command, to make certificates")
    return Certificates(tmp_path_factory.mktemp("certificates"))
