from pathlib import Path

import pytest

from offramp.errors import ConfigError
from offramp.runtime import ClientSecurity, ServerSecurity
from offramp.runtime.security.settings import is_loopback

FILE = Path("x.pem")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.1.5", False),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("::ffff:192.168.1.5", False),
    ],
)
def test_loopback_is_this_machine_and_nothing_that_looks_like_it(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "server.example"])
def test_a_server_that_others_could_reach_needs_tls_or_to_be_told_that_it_is_insecure(host):
    with pytest.raises(ConfigError) as caught:
        ServerSecurity(token_file=FILE).check_host(host)
    assert str(caught.value) == (
        f"{host!r} can be reached from elsewhere and there is no TLS; give --tls-cert and --tls-key,"
        " listen on 127.0.0.1, or say --insecure in a network that you trust"
    )
    ServerSecurity(insecure=True).check_host(host)
    ServerSecurity(FILE, FILE).check_host(host)
    ServerSecurity().check_host("::1")


def test_a_token_is_sent_over_tls_or_inside_this_machine_only():
    with pytest.raises(ConfigError) as caught:
        ClientSecurity(token_file=FILE).check_host("server")
    assert str(caught.value) == (
        "a token for 'server' would cross the network in the clear; give --ca for TLS,"
        " or leave out --token-file"
    )
    ClientSecurity(token_file=FILE, ca=FILE).check_host("server")
    ClientSecurity(token_file=FILE).check_host("localhost")
    ClientSecurity().check_host("server")


@pytest.mark.parametrize(
    ("kind", "settings", "text"),
    [
        (
            ServerSecurity,
            {"tls_cert": FILE},
            "--tls-cert without --tls-key; a certificate and its key go toget",
        ),
        (
            ServerSecurity,
            {"tls_key": FILE},
            "--tls-key without --tls-cert; a certificate and its key go together",
        ),
        (
            ServerSecurity,
            {"client_ca": FILE},
            "--client-ca x.pem checks certificates, and there is no TLS; give",
        ),
        (
            ServerSecurity,
            {"tls_cert": FILE, "tls_key": FILE, "insecure": True},
            "--insecure is for a server without TLS; leave out that or --tls-cert",
        ),
        (ClientSecurity, {"key": FILE}, "--key without --cert; a certificate and its key go together"),
        (
            ClientSecurity,
            {"cert": FILE, "key": FILE},
            "--cert x.pem is for TLS; give --ca too, which signed the",
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_settings_that_do_not_go_together_are_one_line(kind, settings, text):
    with pytest.raises(ConfigError) as caught:
        kind(**settings)
    assert str(caught.value).startswith(text)


def test_what_secures_a_server_is_told_in_words():
    assert ServerSecurity().words == ""
    assert ServerSecurity(FILE, FILE, FILE, FILE).words == "TLS with client certificates and tokens"
    assert ServerSecurity(FILE, FILE).words == "TLS"
