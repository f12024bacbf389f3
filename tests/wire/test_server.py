import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import WireError
from offramp.wire import (
    ModelMetadata,
    ModelQuery,
    ServerMetadata,
    TensorSpec,
    live_response,
    read_ready,
    ready_response,
)
from offramp.wire import open_inference_pb2 as oip


@pytest.mark.parametrize("flag", [True, False])
def test_live_and_ready_say_so(flag):
    assert oip.ServerLiveResponse.FromString(live_response(flag)).live is flag
    assert oip.ServerReadyResponse.FromString(ready_response(flag)).ready is flag
    assert read_ready(ready_response(flag)) is flag


@given(name=st.text(max_size=8), version=st.text(max_size=8))
def test_a_query_survives_the_wire(name, version):
    query = ModelQuery(name, version)
    assert ModelQuery.from_bytes(query.to_bytes()) == query
    metadata_request = oip.ModelMetadataRequest.FromString(query.to_bytes())
    assert (metadata_request.name, metadata_request.version) == (name, version)


@given(data=st.binary(max_size=30))
def test_any_bytes_are_a_query_and_a_flag_or_a_wire_error(data):
    for read in (ModelQuery.from_bytes, read_ready):
        try:
            read(data)
        except WireError as error:
            assert "bytes that are no Model" in str(error)  # noqa: PT017 (either outcome is right)


def test_metadata_names_every_tensor():
    features = TensorSpec("features", "FP32", (-1, 4))
    message = oip.ModelMetadataResponse.FromString(
        ModelMetadata("m", inputs=(features,), outputs=()).to_bytes()
    )
    assert (message.name, message.versions, message.platform) == ("m", ["1"], "offramp")
    assert [(t.name, t.datatype, list(t.shape)) for t in message.inputs] == [("features", "FP32", [-1, 4])]

    server = oip.ServerMetadataResponse.FromString(ServerMetadata("offramp", "0", ("a",)).to_bytes())
    assert (server.name, server.version, server.extensions) == ("offramp", "0", ["a"])


def test_our_messages_have_the_field_numbers_that_tritonclient_uses():
    # In a process of its own: importing it warns, and it is a peer, not a part of us.
    code = """
from offramp.wire import open_inference_pb2 as ours
from tritonclient.grpc import service_pb2 as theirs

def layout(message):
    fields = {f.name: (f.number, f.type, f.is_repeated, f.message_type and f.message_type.name)
              for f in message.fields}
    return fields, {n.name: layout(n) for n in message.nested_types}

for name, message in ours.DESCRIPTOR.message_types_by_name.items():
    assert layout(message) == layout(theirs.DESCRIPTOR.message_types_by_name[name]), name
print("same")
"""
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stdout) == (0, "same\n"), run.stderr
