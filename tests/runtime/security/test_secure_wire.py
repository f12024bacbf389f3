"""Real servers and clients: who is let in, what the others are told, and files that change."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from offramp import wire
from offramp.codec import FloatCodec
from offramp.errors import ConfigError, TailRefusedError, TailUnreachableError
from offramp.runtime import ClientSecurity, Edge, Network, ServerSecurity, TailServer, TailSettings, models_of
from offramp.runtime.client import TailClient

TOKEN, OTHER_TOKEN = "a-token-of-this-line-1", "a-token-of-this-line-2"
CLOSED = "Socket closed; perhaps it does not take our certificate, or asks for one"


@pytest.fixture
def client():
    """Makes clients of a tail, closed with the test."""
    made = []

    def make(address, security=None):
        made.append(TailClient(address, deadline_s=5, security=security))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ask(bundle):
    """Asks for the scores of a row; right ones, or the error."""
    x = np.random.default_rng(3).standard_normal((1, 8), dtype=np.float32)
    expected = Network(bundle.tail)(x)

    def asked(client):
        request = wire.features_request(
            FloatCodec().encode_rows(x),
            n_features=8,
            codec=FloatCodec(),
            id="1",
            model_name="tiny.tail",
            head_digest=bundle.features_digest,
        )
        np.testing.assert_allclose(client.scores(request, n_rows=1, n_classes=3), expected, rtol=1e-5)
        return True

    return asked


def refusal(ask, client, kind):
    with pytest.raises(kind) as caught:
        ask(client)
    return str(caught.value)


def test_with_the_right_certificates_and_token_an_edge_is_answered(bundle, host, tls, files, workshop):
    token = files.token(TOKEN)
    server, client = tls(client_ca="ca", device="device", tokens=files.token(OTHER_TOKEN, TOKEN, to="all"))
    client = ClientSecurity(client.ca, client.cert, client.key, token)
    with Edge(
        bundle, tail=host(bundle, security=server), mode="split", deadline_s=5, security=client
    ) as edge:
        assert edge.connect(5)
        assert {answer.source for answer in edge.infer_many(workshop.samples(5))} == {"tail"}


def test_a_certificate_may_come_with_those_between_it_and_its_authority(bundle, host, client, ask, tls):
    server, own = tls("chained-server")
    assert ask(client(host(bundle, security=server), own))


def test_tritonclient_gets_in_with_certificates_and_a_token(bundle, host, certificates, tls, files):
    server, _ = tls(client_ca="ca", tokens=files.token(TOKEN))
    named = (certificates.cert("ca"), certificates.key("device"), certificates.cert("device"))
    # In a process of its own: importing tritonclient may warn, which is not our fault.
    code = f"""
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException
client = triton.InferenceServerClient({host(bundle, security=server)!r}, False, True, *{[*map(str, named)]})
print(client.is_model_ready("tiny.tail", headers={{"authorization": "Bearer {TOKEN}"}}))
try:
    client.is_server_live()
except InferenceServerException as error:
    print(error.status(), error.message())
client.close()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout == "True\nStatusCode.UNAUTHENTICATED missing or wrong token\n", run.stderr


@pytest.mark.parametrize(
    ("settings", "kind", "line"),
    [
        ({"client_ca": "ca"}, TailUnreachableError, CLOSED),
        ({"client_ca": "ca", "device": "foreign-device"}, TailUnreachableError, CLOSED),
        (
            {"server": "foreign-server"},
            TailRefusedError,
            "shows a certificate that no authority of --ca has signed for a server",
        ),
        (
            {"server": "elsewhere"},
            TailRefusedError,
            "shows a certificate for another name; call it by a name that is in there",
        ),
    ],
    ids=["no certificate", "device of a foreign CA", "server of a foreign CA", "server of another name"],
)
def test_a_certificate_that_is_not_right_ends_the_connection(
    bundle, host, client, ask, tls, settings, kind, line
):
    server, own = tls(**settings)
    address = host(bundle, security=server)
    said = refusal(ask, client(address, own), kind)
    assert said.startswith(f"tail {address} ")
    assert said.endswith(line)


def test_an_expired_certificate_of_a_device_is_refused_by_the_server(bundle, host, certificates, tls):
    # Our own client would not even start with it, so another one asks.
    server, _ = tls(client_ca="ca")
    named = (certificates.cert("ca"), certificates.key("expired-device"), certificates.cert("expired-device"))
    credentials = grpc.ssl_channel_credentials(*(path.read_bytes() for path in named))
    with grpc.secure_channel(host(bundle, security=server), credentials) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{wire.SERVICE}/ServerLive")(b"", timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_an_expired_certificate_of_a_server_is_refused_by_both_sides(bundle, certificates, client, ask, tls):
    expired, key = certificates.cert("expired-server"), certificates.key("expired-server")
    with pytest.raises(ConfigError, match=f"^{expired}: certificate has expired; give a valid certificate"):
        TailServer(models_of(bundle), security=ServerSecurity(expired, key))
    foreign = grpc.server(ThreadPoolExecutor(1))
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), expired.read_bytes())])
    address = f"127.0.0.1:{foreign.add_secure_port('127.0.0.1:0', credentials)}"
    foreign.start()
    said = refusal(ask, client(address, tls()[1]), TailRefusedError)
    foreign.stop(0).wait()
    assert said == f"tail {address} shows a certificate that has expired; it must be renewed there"


def test_tls_on_one_side_only_is_told(bundle, host, client, ask, tls):
    server, own = tls()
    plain, secured = host(bundle), host(bundle, security=server)
    assert refusal(ask, client(plain, own), TailRefusedError) == (
        f"tail {plain} speaks no TLS; leave out --ca, or give the server --tls-cert and --tls-key"
    )
    said = refusal(ask, client(secured), TailUnreachableError)
    assert said.startswith(f"tail {secured} is not there: ")
    assert said.endswith("Socket closed; perhaps it speaks TLS (--ca)")


def test_a_dead_server_is_not_taken_for_one_that_refuses(dead, client, ask, tls):
    said = refusal(ask, client(dead, tls()[1]), TailUnreachableError)
    assert said.endswith("Connection refused")


@pytest.mark.parametrize("given", [None, OTHER_TOKEN], ids=["no token", "wrong token"])
def test_without_the_right_token_nothing_is_answered(bundle, host, client, ask, files, given):
    address = host(bundle, security=ServerSecurity(token_file=files.token(TOKEN, to="all")))
    own = ClientSecurity(token_file=given and files.token(given))
    assert refusal(ask, client(address, own), TailRefusedError) == (
        f"tail {address} refused, UNAUTHENTICATED: missing or wrong token; give a token of its --token-file"
    )
    assert not client(address, own).wait_until_ready("tiny.tail", 5)


@pytest.mark.parametrize("method", ["ServerLive", "ServerMetadata", "ModelInfer", "Unknown"])
@pytest.mark.parametrize("kind", ["unary_unary", "stream_stream"])
@pytest.mark.parametrize(
    "metadata",
    [(), (("authorization", "Bearer x"),), (("authorization", f"Bearer {TOKEN}"),) * 2],
    ids=["none", "wrong", "twice"],
)
def test_whatever_is_asked_without_a_token_gets_the_same_words(bundle, host, files, method, kind, metadata):
    address = host(bundle, security=ServerSecurity(token_file=files.token(TOKEN)))
    with grpc.insecure_channel(address) as channel:
        call = getattr(channel, kind)(f"/{wire.SERVICE}/{method}")
        messages = b"\xff" * 100 if kind == "unary_unary" else iter([])
        with pytest.raises(grpc.RpcError) as caught:
            list(call(messages, timeout=5, metadata=metadata))
        assert (caught.value.code().name, caught.value.details()) == (
            "UNAUTHENTICATED",
            "missing or wrong token",
        )


def test_a_server_that_others_could_reach_is_refused_without_tls(bundle):
    with pytest.raises(
        ConfigError, match=r"^'0\.0\.0\.0' can be reached from elsewhere and there is no TLS;"
    ):
        TailServer(models_of(bundle), TailSettings(host="0.0.0.0"))


def test_a_token_is_not_sent_across_a_network_in_the_clear(files):
    with pytest.raises(
        ConfigError, match=r"^a token for '192\.0\.2\.1' would cross the network in the clear; "
    ):
        TailClient("192.0.2.1:1", deadline_s=1, security=ClientSecurity(token_file=files.token(TOKEN)))


def test_a_new_token_counts_at_once_on_both_sides(bundle, host, client, ask, files):
    tokens, token = files.token(TOKEN, to="all"), files.token(TOKEN)
    address = host(bundle, security=ServerSecurity(token_file=tokens))
    one = client(address, ClientSecurity(token_file=token))
    assert ask(one)
    files.token(OTHER_TOKEN, to="all")
    assert "missing or wrong token" in refusal(ask, one, TailRefusedError)
    files.token(OTHER_TOKEN)
    assert ask(one)


def test_a_new_server_certificate_is_shown_to_new_connections_and_ends_no_other(
    bundle, host, client, ask, files, certificates, caplog
):
    security = ServerSecurity(*files.pair("server", to="server"))
    address = host(bundle, security=security)
    before, after = (ClientSecurity(certificates.cert(name)) for name in ("ca", "foreign-ca"))
    held = client(address, before)
    assert ask(held)
    files.cert("foreign-server", to="server")  # half of the change: the old pair goes on
    assert ask(client(address, before))
    assert "not the key of the certificate" in caplog.text
    assert "what was there before stays in use" in caplog.text
    files.key("foreign-server", to="server")
    assert ask(client(address, after))
    assert "no authority of --ca" in refusal(ask, client(address, before), TailRefusedError)
    assert ask(held)


def test_a_new_authority_of_devices_counts_for_new_connections(
    bundle, host, client, ask, files, certificates
):
    client_ca = files.cert("ca", to="devices")
    server = ServerSecurity(certificates.cert("server"), certificates.key("server"), client_ca)
    address = host(bundle, security=server)
    own, foreign = (
        ClientSecurity(certificates.cert("ca"), certificates.cert(name), certificates.key(name))
        for name in ("device", "foreign-device")
    )
    held = client(address, own)
    assert ask(held)
    files.cert("foreign-ca", to="devices")
    assert ask(client(address, foreign))
    assert refusal(ask, client(address, own), TailUnreachableError).endswith(CLOSED)
    assert ask(held)


def test_a_device_with_a_new_certificate_connects_anew_and_calls_under_way_are_answered(
    bundle, host, client, ask, files, certificates, tls
):
    busy, go_on = threading.Event(), threading.Event()
    network = Network(bundle.tail)

    def waits(features):
        if not busy.is_set():
            busy.set()
            go_on.wait(10)
        return network(features)

    server, _ = tls(client_ca="ca")
    address = host(bundle, tail=waits, security=server, max_batch=1)
    one = client(address, ClientSecurity(certificates.cert("ca"), *files.pair("device", to="device")))
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(ask, one)
        assert busy.wait(10)
        files.pair("foreign-device", to="device")
        assert refusal(ask, one, TailUnreachableError).endswith(CLOSED)  # so it has shown the new one
        files.pair("device", to="device")
        go_on.set()
        assert ask(one)
        assert under_way.result(10)
