"""A head on an emulated Cortex-M3, its serial port, a gateway and a tail answer as Python does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.emulated_device.device import MODES, built, lived

from offramp.bundle import Preprocessing, read_terms, write
from offramp.cli.tail_process import tail_process
from offramp.exits import ExitRule
from offramp.experiments.verified.networks import Case, Junction, network
from offramp.runtime import Edge
from offramp.runtime.gateway import Gateway
from offramp.targets import TARGETS, missing
from offramp.wire.serial import Offload, RawSample, TailAnswer, Verdict, frame_bytes

N = 10
CASE = Case(
    name="chance",
    head=(Junction(n_out=16, out_degree=4),),
    preprocessing=Preprocessing((8, 8), "uint8", scale=1 / 255),
    tail=True,
    rule=ExitRule(0.335, temperature=5),
    seed=2,
)


@pytest.fixture(scope="module")
def tail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A bundle, and where its tail is."""
    if reason := missing(TARGETS["cortex-m3"]):
        pytest.skip(reason)
    path = tmp_path_factory.mktemp("chance") / "chance.bundle"
    write(network(CASE), path)
    with tail_process(path) as (host, port):
        yield path, f"{host}:{port}"


@pytest.mark.parametrize("mode", MODES)
def test_a_device_on_a_serial_line_answers_as_python_does(
    tail: tuple[Path, str], tmp_path: Path, mode: Any
) -> None:
    path, address = tail
    bundle = network(CASE)
    rng = np.random.default_rng(1)
    samples = (rng.integers(0, 256, (N, 8, 8)) * (rng.random((N, 8, 8)) < 0.15)).astype(np.uint8)
    with Edge(bundle, tail=address, mode=mode, int8=True, deadline_s=30) as edge:
        wanted = edge.infer_many(samples)
    device = built(bundle, mode, tmp_path / "device", tells=True)
    with Gateway(read_terms(path), tail=address, deadline_s=30) as gateway:
        assert gateway.connect(30)
        outcome = lived(device, samples, gateway, timeout_s=60)
    sources = [answer.source for answer in wanted]
    assert outcome.labels.tolist() == [answer.label for answer in wanted]
    assert outcome.sources == sources
    assert len(set(outcome.labels)) > 1, "else agreeing is easy"
    if mode == "split+exit":
        assert set(sources) == {"exit", "tail"}
    told = [(answer.sequence, answer.label, answer.source) for answer in outcome.told]
    assert told == [(i, answer.label, answer.source) for i, answer in enumerate(wanted, start=1)]
    question = RawSample if mode == "remote" else Offload
    for i, answer in enumerate(wanted):
        asks = answer.source == "tail"
        out = question(1, bytes(answer.payload_bytes)) if asks else Verdict(1, 2, "exit")
        assert outcome.bytes_out[i] == len(frame_bytes(out))
        assert outcome.bytes_in[i] == (len(frame_bytes(TailAnswer(1, 2, 3))) if asks else 0)
    assert outcome.counts.damaged == 0
