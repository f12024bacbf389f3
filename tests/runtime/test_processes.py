"""Edge and tail as real processes, on a real wire, killed for real."""

import dataclasses
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from offramp import bundle as bundles
from offramp.exits import NEVER, ExitRule
from offramp.runtime import Edge, Network, ShapedLink


@pytest.fixture
def asking(bundle):
    """A bundle whose exit is never sure."""
    return dataclasses.replace(bundle, exit_rule=ExitRule(NEVER))


def wait_for(edge, sample, source, *, within_s=10):
    """Asks until an answer comes from `source`."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        answer = edge.infer(sample)
        if answer.source == source:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"no answer from {source} within {within_s} s: {answer}")


def run_python(code):
    """A finished process of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_lets_the_request_in_flight_finish_and_exits_with_zero(asking, spawn, workshop, number):
    tail = spawn("slow")
    answers = []
    with Edge(asking, tail=tail.address, mode="split", deadline_s=10) as edge:
        assert edge.connect()
        caller = threading.Thread(target=lambda: answers.append(edge.infer(workshop.samples(1)[0])))
        caller.start()
        assert tail.process.stdout.readline() == "busy\n"
        tail.process.send_signal(number)
        assert tail.process.wait(10) == 0
        caller.join()
        assert answers[0].source == "tail"
        following = edge.infer(workshop.samples(1)[0])
        assert following.source == "fallback"
        assert following.latency_s < 5
    assert tail.process.stdout.readline() == "drained\n"


def test_a_tail_that_hangs_does_not_outlive_the_drain(asking, spawn, workshop):
    tail = spawn("hangs")
    with Edge(asking, tail=tail.address, mode="split", deadline_s=10) as edge:
        assert edge.connect()
        answers = []
        caller = threading.Thread(target=lambda: answers.append(edge.infer(workshop.samples(1)[0])))
        caller.start()
        assert tail.process.stdout.readline() == "busy\n"
        tail.process.terminate()
        assert tail.process.wait(10) == 0
        caller.join()
    assert answers[0].source == "fallback"


def test_edge_and_tail_each_use_the_inner_exits_whose_files_they_have(workshop, spawn, tmp_path):
    made = workshop.bundle_with_inner_exits(head_rule=0.998, rule=0.85, tail_rule=0.9)
    bundles.write(made, tmp_path / "whole")
    for side, parts in [("edge", ("head", "exit", "exit-head-2")), ("server", ("tail", "exit-tail-2"))]:
        (tmp_path / side).mkdir()
        for name in ("manifest.json", *(f"{part}.safetensors" for part in parts)):
            shutil.copy(tmp_path / "whole" / name, tmp_path / side)
    device = bundles.read(tmp_path / "edge", parts=bundles.present(tmp_path / "edge"))
    samples = workshop.samples(400)
    with Edge(device, tail=spawn(path=tmp_path / "server").address, deadline_s=10) as edge:
        answers = edge.infer_many(samples)

    features = Network(made.head)(made.preprocessing(samples))
    early = Network(made.inner_exits[1].part)(Network(made.tail, stop=2)(features))
    sure = made.inner_exits[1].rule.sure(early)
    expected = np.where(sure[:, None], early, Network(made.tail)(features))
    asked = np.flatnonzero([answer.source == "tail" for answer in answers])
    assert 0 < sure[asked].sum() < len(asked)
    np.testing.assert_allclose([answers[i].scores for i in asked], expected[asked], rtol=1e-4, atol=1e-4)
    assert {answer.exit for answer in answers} == {"exit-head-2", "exit", None}


def test_killing_the_tail_in_the_middle_of_a_batch_makes_all_its_samples_fall_back(asking, spawn, workshop):
    tail = spawn("slow")
    answers = []
    with Edge(asking, tail=tail.address, deadline_s=30) as edge:
        assert edge.connect()
        caller = threading.Thread(target=lambda: answers.extend(edge.infer_many(workshop.samples(300))))
        caller.start()
        assert tail.process.stdout.readline() == "busy\n"
        tail.process.kill()
        caller.join()
    assert [answer.source for answer in answers] == ["fallback"] * 300


def test_killing_the_tail_in_mid_request_falls_back_at_once_and_recovers(asking, spawn, workshop):
    sample = workshop.samples(1)[0]
    tail = spawn("slow")
    answers = []
    with Edge(asking, tail=tail.address, deadline_s=30) as edge:
        assert edge.connect()
        caller = threading.Thread(target=lambda: answers.append(edge.infer(sample)))
        caller.start()
        assert tail.process.stdout.readline() == "busy\n"
        killed_at = time.monotonic()
        tail.process.kill()
        caller.join()
        assert time.monotonic() - killed_at < 5  # and not the 30 s of the deadline
        assert answers[0].source == "fallback"
        assert "is not there" in answers[0].reason
        tail.process.wait()

        spawn(port=tail.port)
        back = wait_for(edge, sample, "tail")
    features = Network(asking.head)(asking.preprocessing(sample[None]))
    np.testing.assert_allclose(back.scores, Network(asking.tail)(features)[0], rtol=1e-5)


def test_a_black_hole_falls_back_at_the_deadline_and_recovers(asking, spawn, workshop):
    sample = workshop.samples(1)[0]
    tail = spawn()
    with (
        ShapedLink("127.0.0.1", tail.port, bits_per_s=1e6, delay_s=0.01) as link,
        Edge(asking, tail=f"127.0.0.1:{link.port}", deadline_s=0.4) as edge,
    ):
        assert edge.connect()
        answer = edge.infer(sample)
        assert answer.source == "tail"
        assert answer.latency_s >= 0.02
        sent = link.bytes_up
        link.black_hole = True
        for _ in range(2):
            lost = edge.infer(sample)
            assert lost.source == "fallback"
            assert 0.39 < lost.latency_s < 1.5
            assert "gave no answer within 0.4 s" in lost.reason
        assert link.bytes_up > sent
        link.black_hole = False
        assert wait_for(edge, sample, "tail").reason is None


def test_a_black_hole_before_the_first_contact_falls_back_at_the_deadline(asking, spawn, workshop):
    tail = spawn()
    with ShapedLink("127.0.0.1", tail.port) as link:
        link.black_hole = True
        with Edge(asking, tail=f"127.0.0.1:{link.port}", deadline_s=0.3) as edge:
            lost = edge.infer(workshop.samples(1)[0])
            assert 0.29 < lost.latency_s < 1.5
            assert lost.source == "fallback"


def test_a_link_slower_than_the_backoff_still_connects(asking, spawn, workshop):
    tail = spawn()
    with (
        ShapedLink("127.0.0.1", tail.port, delay_s=0.6) as link,
        Edge(asking, tail=f"127.0.0.1:{link.port}", deadline_s=5) as edge,
    ):
        assert edge.infer(workshop.samples(1)[0]).source == "tail"


def test_a_second_server_on_the_same_port_says_one_line_and_fails(spawn, bundle_path):
    tail = spawn()
    code = f"""
from offramp import bundle
from offramp.errors import ConfigError
from offramp.runtime import TailSettings, serve
try:
    serve(bundle.read({str(bundle_path)!r}), settings=TailSettings(port={tail.port}))
except ConfigError as error:
    print(error)
"""
    run = run_python(code)
    assert run.stdout.startswith(f"cannot listen on 127.0.0.1:{tail.port}: Address already in use; choose")
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""


def test_an_edge_never_loads_torch(bundle_path):
    code = f"""
import sys, numpy
from offramp import bundle
from offramp.runtime import Edge
with Edge(bundle.read({str(bundle_path)!r}), mode="local") as edge:
    assert edge.infer(numpy.zeros((3, 4), numpy.uint8)).source == "local"
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(loaded & {{"torch", "sklearn", "pandas", "matplotlib", "tritonclient"}}))
"""
    run = run_python(code)
    assert (run.returncode, run.stdout) == (0, "[]\n"), run.stderr


def test_an_unmodified_tritonclient_calls_us(asking, spawn, workshop, tmp_path):
    tail = spawn()
    sample = workshop.samples(1)
    features = Network(asking.head)(asking.preprocessing(sample))
    np.savez(tmp_path / "given.npz", sample=sample, features=features)
    # In a process of its own: importing tritonclient warns, which is not our fault.
    code = f"""
import numpy as np, tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException
given = np.load({str(tmp_path / "given.npz")!r})
client = triton.InferenceServerClient({tail.address!r})
assert client.is_server_live() and client.is_server_ready()
print(client.get_server_metadata(as_json=True)["name"])
scores = {{}}
for model, name, datatype, array, parameters in [
    ("tiny.tail", "features", "FP32", given["features"], None),
    ("tiny.tail", "features", "UINT8", given["features"].view(np.uint8),
     {{"codec": "float32", "shape": "8", "dtype": "float32", "head_digest": {asking.head_digest!r}}}),
    ("tiny", "sample", "UINT8", given["sample"], None),
]:
    assert client.is_model_ready(model)
    metadata = client.get_model_metadata(model)
    assert metadata.inputs[0].name == name and metadata.outputs[0].name == "scores"
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    wanted = [triton.InferRequestedOutput("scores")]
    result = client.infer(model, [tensor], outputs=wanted, request_id="7", parameters=parameters)
    assert result.get_response().id == "7"
    scores[model + datatype] = result.as_numpy("scores")
tensor = triton.InferInput("features", [1, 7], "FP32")
tensor.set_data_from_numpy(np.zeros((1, 7), np.float32))
try:
    client.infer("tiny.tail", [tensor])
except InferenceServerException as error:
    print(error.status(), error.message())
client.close()
np.savez({str(tmp_path / "scores.npz")!r}, **scores)
"""
    run = run_python(code)
    assert run.returncode == 0, run.stderr
    assert run.stdout == (
        "offramp\nStatusCode.INVALID_ARGUMENT tensor 'features' has shape (1, 7); this model reads [-1, 8]\n"
    )
    scores = np.load(tmp_path / "scores.npz")
    assert len(scores.files) == 3
    for name in scores.files:
        np.testing.assert_allclose(scores[name], Network(asking.tail)(features), rtol=1e-5, atol=1e-5)
