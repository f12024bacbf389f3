"""Servers of others answer our edge with our tail, where tools/peers/install.py has made them."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks.serving import servers
from benchmarks.serving.network import network

from offramp.exits import NEVER, ExitRule
from offramp.export import write_repository
from offramp.runtime import Edge

FOLDER = os.environ.get("OFFRAMP_PEERS")

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(FOLDER is None, reason="OFFRAMP_PEERS names no folder of tools/peers/install.py"),
]


@pytest.fixture(scope="module")
def bundle():
    """A network for samples of 64 values whose exit is never sure."""
    return dataclasses.replace(network(), exit_rule=ExitRule(NEVER))


@pytest.fixture(scope="module", params=servers.PEERS)
def address(request, bundle, tmp_path_factory):
    """A peer that serves the tail of the bundle."""
    if request.param not in servers.installed(Path(FOLDER)):
        pytest.skip(f"{FOLDER} has no {request.param}")
    repository = tmp_path_factory.mktemp("peer") / "tails"
    write_repository([bundle], repository)
    with servers.peer(request.param, Path(FOLDER), repository, "served.tail") as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize("n", [1, 200], ids=["one", "many"])
def test_the_edge_gets_the_scores_of_its_own_tail(bundle, address, n):
    samples = np.random.default_rng(n).standard_normal((n, 64), np.float32)
    asking = Edge(bundle, tail=address, plain_features=True, deadline_s=30)
    with asking as edge, Edge(bundle, mode="local") as alone:
        assert edge.connect(30)
        answers, expected = edge.infer_many(samples), alone.infer_many(samples)
    assert {answer.source for answer in answers} == {"tail"}, answers[0].reason
    np.testing.assert_allclose(
        [answer.scores for answer in answers], [one.scores for one in expected], rtol=1e-5, atol=1e-5
    )


def test_a_refusal_leaves_the_exits_verdict(bundle, address):
    stranger = dataclasses.replace(bundle, name="letters")
    with Edge(stranger, tail=address, plain_features=True, deadline_s=30) as edge:
        answer = edge.infer(np.zeros(64, np.float32))
    assert answer.source == "fallback"
    assert "refused" in answer.reason


def test_coded_features_are_refused_and_not_misread(bundle, address):
    with Edge(bundle, tail=address, deadline_s=30) as edge:
        answer = edge.infer(np.ones(64, np.float32))
    assert answer.source == "fallback"
    assert "refused" in answer.reason
