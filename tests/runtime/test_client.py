from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from offramp.errors import WireError
from offramp.runtime.client import TailClient
from offramp.runtime.connection import Line
from offramp.wire import InferRequest


@pytest.fixture
def damaged(monkeypatch):
    """A client whose calls end well without a message, as gRPC does when the message is lost to damage."""

    @contextmanager
    def nothing(line):
        yield SimpleNamespace(
            has_answered=True, n_lost=0, infer=lambda *_, **__: None, model_ready=lambda *_, **__: None
        )

    monkeypatch.setattr(Line, "connection", nothing)
    client = TailClient("127.0.0.1:9", deadline_s=1)
    yield client
    client.close()


def test_a_call_that_ends_without_a_message_is_no_answer(damaged):
    with pytest.raises(WireError, match="the call ended without an answer; it was damaged on its way"):
        damaged.scores(InferRequest("m", ()), n_rows=1, n_classes=2)
    assert damaged.counts.disbelieved == 1


def test_a_tail_that_says_nothing_is_not_ready(damaged):
    assert not damaged.wait_until_ready("m", 1)
