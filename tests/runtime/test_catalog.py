"""Several models and versions in one server, and which of them a request gets."""

import asyncio
import dataclasses

import grpc
import numpy as np
import pytest

from offramp.codec import FloatCodec
from offramp.runtime import TailServer, TailSettings, models_of
from offramp.runtime.batching import Batcher
from offramp.runtime.catalog import Catalog
from offramp.runtime.metering import Meter
from offramp.wire import SERVICE, InferRequest, InferResponse, ModelQuery, Tensor
from offramp.wire import open_inference_pb2 as oip


def answering(value):
    """A tail whose scores are all `value`, by which its version is known."""
    return lambda x: np.full((len(x), 3), value, np.float32)


@pytest.fixture
def retrained(workshop):
    """Makes bundles of one name, each with a head of its own."""

    def make(seed, **changes):
        rng = np.random.default_rng(seed)
        head = workshop.part(workshop.sparse(rng, 16, 8, 4, block=(2, 2)), workshop.relu)
        return workshop.bundle(head=head, **changes)

    return make


@pytest.fixture
def serving(loop):
    """Starts a server for these models; calls it, and adds to it."""
    servers, channels = [], []

    class Serving:
        def __init__(self, *models):
            self.server = TailServer(models, TailSettings(max_wait_s=0.0))
            asyncio.run_coroutine_threadsafe(self.server.start(), loop).result(10)
            servers.append(self.server)
            channels.append(grpc.insecure_channel(f"127.0.0.1:{self.server.port}"))
            self._channel = channels[-1]

        def call(self, method, data):
            return self._channel.unary_unary(f"/{SERVICE}/{method}")(data, timeout=10)

        def ask(self, model="tiny.tail", version="", x=None, **parameters):
            """Version and first score of the answer, or status and details."""
            x = np.ones((1, 8), np.float32) if x is None else x
            request = InferRequest(model, (Tensor("x", x),), version, parameters=parameters)
            try:
                response = InferResponse.from_bytes(self.call("ModelInfer", request.to_bytes()))
            except grpc.RpcError as error:
                return error.code().name, error.details()
            return response.model_version, response.outputs[0].array[0, 0]

        def add(self, models, **settings):
            async def added():
                return self.server.add(models, **settings)

            return asyncio.run_coroutine_threadsafe(added(), loop).result(10)

    yield Serving
    for channel in channels:
        channel.close()
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(10)


def tail_of(bundle, value):
    return models_of(bundle, tail=answering(value))[0]


def test_bundles_of_other_names_stand_side_by_side(workshop, serving):
    names = ("ants", "bees")
    server = serving(*(tail_of(workshop.bundle(name=name), i) for i, name in enumerate(names)))
    assert server.ask("ants.tail") == ("1", 0)
    assert server.ask("bees.tail") == ("1", 1)
    assert server.ask("cats.tail") == (
        "NOT_FOUND",
        "no model 'cats.tail' here; there is 'ants.tail', 'bees.tail'",
    )


def test_a_request_gets_the_version_it_names_or_the_newest_of_its_head_or_the_newest(retrained, serving):
    old, new = retrained(1), retrained(2)
    server = serving(tail_of(old, 1), tail_of(new, 2), tail_of(old, 3), tail_of(new, 4))
    assert [server.ask(version=str(n)) for n in range(1, 5)] == [(str(n), n) for n in range(1, 5)]
    assert server.ask() == ("4", 4)
    assert server.ask(head_digest=old.features_digest) == ("3", 3)
    assert server.ask(head_digest=new.features_digest) == ("4", 4)
    assert server.ask(head_digest=new.features_digest, version="2") == ("2", 2)


def test_a_version_or_a_head_that_is_not_there_is_told_with_those_that_are(retrained, serving):
    old, new = retrained(1), retrained(2)
    server = serving(tail_of(old, 1), tail_of(new, 2))
    assert server.ask(version="3") == (
        "NOT_FOUND",
        "model 'tiny.tail' has no version '3'; ask for '2', '1' or none",
    )
    heads = [bundle.features_digest[:12] for bundle in (new, old)]
    assert server.ask(head_digest="f" * 64) == (
        "FAILED_PRECONDITION",
        f"features of head 'ffffffffffff'; this tail understands head '{heads[0]}' and '{heads[1]}',"
        " deploy both from one bundle",
    )
    assert server.ask(head_digest=old.features_digest, version="2")[1].startswith(
        f"features of head '{heads[1]}'; this tail understands head '{heads[0]}',"
    )


def test_of_one_head_the_version_with_the_codec_of_the_request_is_asked(workshop, serving):
    other = FloatCodec()
    object.__setattr__(other, "digest", "0123456789abcdef")  # as one whose parameters are fitted
    plain, fitted = workshop.bundle(), workshop.bundle(codec=other)
    server = serving(tail_of(plain, 1), tail_of(fitted, 2))
    x = np.ones((1, 8), np.float32).view(np.uint8)
    coding = {"codec": "float32", "shape": "8", "dtype": "float32", "head_digest": plain.features_digest}
    assert server.ask(x=x, **coding) == ("1", 1)
    assert server.ask(x=x, codec_digest="0123456789abcdef", **coding) == ("2", 2)
    assert server.ask(x=x, codec_digest="f" * 16, **coding)[0] == "INVALID_ARGUMENT"


def test_the_models_of_one_bundle_have_one_version(retrained, serving):
    old, new = retrained(1), retrained(2)
    server = serving(tail_of(old, 1), *models_of(new, tail=answering(2)))
    assert server.server.models == {"tiny.tail": ("1", "2"), "tiny": ("2",)}
    assert server.ask("tiny", x=np.ones((1, 3, 4), np.uint8)) == ("2", 2)


def test_metadata_lists_the_versions_and_each_is_ready(retrained, serving):
    server = serving(tail_of(retrained(1), 1), tail_of(retrained(2), 2))
    for version in ("", "1", "2"):
        query = ModelQuery("tiny.tail", version).to_bytes()
        assert oip.ModelReadyResponse.FromString(server.call("ModelReady", query)).ready
        metadata = oip.ModelMetadataResponse.FromString(server.call("ModelMetadata", query))
        assert (metadata.name, metadata.versions) == ("tiny.tail", ["1", "2"])
    with pytest.raises(grpc.RpcError, match="has no version '3'; ask for '2', '1' or none"):
        server.call("ModelReady", ModelQuery("tiny.tail", "3").to_bytes())


def test_what_is_added_while_the_server_runs_is_the_next_version(retrained, serving):
    server = serving(tail_of(retrained(1), 1))
    assert server.add([tail_of(retrained(2), 2)]) == {"tiny.tail": "2"}
    assert server.ask() == ("2", 2)
    assert server.ask(version="1") == ("1", 1)


def test_of_one_source_the_version_before_stays_for_its_head_and_the_one_before_that_goes(retrained, serving):
    server = serving()
    heads = [retrained(seed) for seed in range(3)]
    for value, bundle in enumerate(heads, start=1):
        server.add([tail_of(bundle, value)], source="here")
    assert server.server.models == {"tiny.tail": ("2", "3")}
    assert server.ask(head_digest=heads[1].features_digest) == ("2", 2)
    assert server.ask(head_digest=heads[0].features_digest)[0] == "FAILED_PRECONDITION"
    # The same head again takes the place of its version; the other head's stays.
    server.add([tail_of(heads[2], 4)], source="here")
    assert server.server.models == {"tiny.tail": ("2", "4")}


def test_sources_do_not_take_each_others_places(retrained, serving):
    bundle = retrained(1)
    server = serving(tail_of(bundle, 1))
    for source in ("one", "other"):
        server.add([tail_of(bundle, 2)], source=source)
    assert server.server.models == {"tiny.tail": ("1", "2", "3")}


def test_a_bundle_that_comes_without_its_head_leaves_the_whole_network_of_the_one_before(retrained, serving):
    server, whole = serving(), retrained(1)
    tail_alone = dataclasses.replace(whole, head=None)
    server.add(models_of(whole, tail=answering(1)), source="here")
    server.add(models_of(tail_alone, tail=answering(2)), source="here")
    assert server.server.models == {"tiny.tail": ("2",), "tiny": ("1",)}
    server.add(models_of(whole, tail=answering(3)), source="here")
    assert server.server.models == {"tiny.tail": ("3",), "tiny": ("3",)}


def test_a_number_is_never_given_twice(retrained, serving):
    server = serving()
    for seed, name in enumerate(["ants", "bees", "cats", "ants"]):
        server.add([tail_of(retrained(seed, name=name), seed)], source="here")
    assert server.server.models == {"cats.tail": ("1",), "ants.tail": ("2",)}


def test_a_version_that_goes_is_closed_with_its_last_request(retrained, monkeypatch):
    closed = []
    close = Batcher.close
    monkeypatch.setattr(Batcher, "close", lambda self, **how: (closed.append(self), close(self, **how)))
    catalog = Catalog(meter := Meter(), max_batch=8, max_wait_s=0.0)
    bundle = retrained(1)
    catalog.add([tail_of(bundle, 1)], source="here")
    old = catalog.find("tiny.tail")
    with catalog.used(old), catalog.used(old):
        catalog.add([tail_of(bundle, 2)], source="here")
        assert catalog.find("tiny.tail").version == "2"
        assert old.batcher.submit(np.ones((1, 8), np.float32)).result(10)[0, 0] == 1
        assert closed == []
        assert [tally.version for _, tally in meter if tally.model] == ["1", "2"]
    assert closed == [old.batcher]
    assert [tally.version for _, tally in meter if tally.model] == ["2"]
    catalog.close()
