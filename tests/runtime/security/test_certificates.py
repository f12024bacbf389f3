import os
import subprocess

import pytest

from offramp.errors import ConfigError
from offramp.runtime.security.certificates import Identity, read_authorities, read_identity


def refused(cert, key, side="server"):
    with pytest.raises(ConfigError) as caught:
        read_identity(cert, key, side)
    return str(caught.value)


@pytest.mark.parametrize(("name", "side"), [("server", "server"), ("device", "client")])
def test_a_valid_pair_is_read_as_it_is(certificates, name, side):
    cert, key = certificates.cert(name), certificates.key(name)
    assert read_identity(cert, key, side) == Identity(cert.read_bytes(), key.read_bytes())


def test_a_key_is_not_shown_where_an_identity_is_printed(certificates):
    identity = read_identity(certificates.cert("server"), certificates.key("server"), "server")
    assert "BEGIN CERTIFICATE" in repr(identity)
    assert "PRIVATE KEY" not in repr(identity)


def test_authorities_may_have_comments_in_any_language(certificates, tmp_path):
    path = tmp_path / "authorities.pem"
    path.write_bytes("# Größe\n".encode() + certificates.cert("ca").read_bytes())
    assert read_authorities(path) == path.read_bytes()


def test_a_key_that_is_gone_between_two_looks_is_one_line(certificates, monkeypatch):
    def gone(*_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("offramp.runtime.security.certificates._handshake", gone)
    cert = certificates.cert("server")
    assert refused(cert, certificates.key("server")) == f"{cert}: No such file or directory; give it again"


def test_a_missing_file_is_named(certificates, tmp_path):
    absent, cert, key = tmp_path / "absent", certificates.cert("server"), certificates.key("server")
    line = f"{absent}: No such file or directory; give a file that this user may read"
    assert refused(absent, key) == line
    assert refused(cert, absent) == line
    with pytest.raises(ConfigError, match="No such file or directory"):
        read_authorities(absent)


def test_a_key_of_another_certificate_is_refused(certificates):
    cert, key = certificates.cert("server"), certificates.key("device")
    assert refused(cert, key) == f"{key}: not the key of the certificate {cert}; give both of one pair"


@pytest.mark.parametrize(
    ("name", "side", "why"),
    [
        ("expired-server", "server", "certificate has expired; give a valid certificate for a server"),
        ("expired-device", "client", "certificate has expired; give a valid certificate for a client"),
        ("device", "server", "unsuitable certificate purpose; give a valid certificate for a server"),
        ("server", "client", "unsuitable certificate purpose; give a valid certificate for a client"),
    ],
)
def test_a_certificate_that_the_peer_would_not_take_is_refused_here(certificates, name, side, why):
    cert, key = certificates.cert(name), certificates.key(name)
    assert refused(cert, key, side) == f"{cert}: {why}"


def test_files_that_hold_something_else_are_refused(certificates, tmp_path):
    cert, key = certificates.cert("server"), certificates.key("server")
    assert refused(key, key) == f"{key}: holds no certificate; give one in PEM form"
    assert refused(cert, cert) == f"{cert}: holds no private key; give one in PEM form"
    damaged = tmp_path / "damaged.pem"
    damaged.write_bytes(cert.read_bytes().replace(b"M", b"N"))
    assert refused(damaged, key).startswith(f"{damaged}, {key}: no usable certificate and key (")
    with pytest.raises(ConfigError, match=r"holds no certificate of an authority; give one in PEM form$"):
        read_authorities(key)
    large = tmp_path / "large"
    large.write_bytes(bytes(1024 * 1024 + 1))
    assert refused(large, key) == f"{large}: more than 1,048,576 bytes; give the file of this purpose alone"


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(certificates, tmp_path):
    key = tmp_path / "encrypted.key"
    command = ["openssl", "pkcs8", "-topk8", "-passout", "pass:secret", "-out", key]
    subprocess.run([*command, "-in", certificates.key("server")], check=True)
    assert refused(certificates.cert("server"), key).startswith(f"{key}: the key is encrypted, and nobody is")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_key_that_everybody_may_read_is_told(certificates, tmp_path, caplog):
    key = tmp_path / "open.key"
    key.write_bytes(certificates.key("server").read_bytes())
    key.chmod(0o640)
    read_identity(certificates.cert("server"), key, "server")
    assert caplog.messages == []
    key.chmod(0o644)
    read_identity(certificates.cert("server"), key, "server")
    assert caplog.messages == [f"{key}: every user of this machine may read this secret; chmod 600 ends that"]
