"""Split networks of every kind, and ONNX Runtime."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from hypothesis import strategies as st

from offramp.bundle import InnerExit, Preprocessing
from offramp.codec import CODECS, fit_codec
from offramp.exits import CRITERIA, NEVER, ExitRule
from offramp.runtime import TailServer, TailSettings, edge_scores, models_of, scores_of


@st.composite
def junctions(draw, workshop, n_in, seed):
    """A junction of n_in inputs of any kind that there is."""
    rng, bias = np.random.default_rng(seed), draw(st.booleans())
    if draw(st.booleans()):
        return workshop.dense(rng, n_in, draw(st.integers(1, 9)), bias=bias)
    r = draw(st.sampled_from([r for r in (1, 2, 4) if n_in % r == 0]))
    c = draw(st.sampled_from([1, 2, 4]))
    n_blocks = draw(st.integers(1, 6))  # of outputs
    feasible = [k for k in range(1, n_blocks + 1) if n_in // r * k % n_blocks == 0]
    return workshop.sparse(
        rng, n_in, n_blocks * c, draw(st.sampled_from(feasible)) * c, block=(r, c), bias=bias
    )


@st.composite
def parts(draw, workshop, n_in=None, n_out=None):
    """Up to three junctions, with and without a ReLU behind each, and one more where n_out is given."""
    layers, n_in = [], n_in or draw(st.sampled_from([1, 3, 4, 8, 12]))
    for seed in range(draw(st.integers(0 if n_out else 1, 3))):
        layers.append(draw(junctions(workshop, n_in, seed)))
        n_in = layers[-1][0].n_out
        if draw(st.booleans()):
            layers.append(workshop.relu)
    if n_out:
        layers.append(workshop.dense(np.random.default_rng(n_in), n_in, n_out))
    return workshop.part(*layers)


@st.composite
def preprocessings(draw):
    pool = draw(st.sampled_from([1, 2, 3]))
    shape = draw(st.sampled_from([(6, 6), (6, 12)] if pool > 1 else [(4,), (2, 3), (2, 1, 3), (1, 2, 2, 3)]))
    bare = Preprocessing(shape, draw(st.sampled_from(["uint8", "float32"])), pool=pool)

    def affine(low, high):
        one = st.floats(low, high, width=32)
        return one | st.lists(one, min_size=bare.n_values, max_size=bare.n_values).map(tuple)

    return Preprocessing(
        shape,
        bare.dtype,
        pool=pool,
        offset=draw(affine(-2, 2)),
        scale=draw(affine(1 / 512, 1)),
        pad_to=draw(st.sampled_from([None, bare.n_values + 3])),
    )


def samples(rule, n, seed=0):
    """Raw ones."""
    rng = np.random.default_rng(seed)
    if rule.dtype == "uint8":
        return rng.integers(0, 256, (n, *rule.shape), np.uint8)
    return rng.standard_normal((n, *rule.shape), np.float32)


@st.composite
def rules(draw, n_classes):
    criterion = draw(st.sampled_from(CRITERIA))
    weights = draw(st.lists(st.floats(-1, 1), min_size=n_classes + 1, max_size=n_classes + 1))
    return ExitRule(
        NEVER,
        criterion,
        temperature=draw(st.sampled_from([0.5, 1.0, 2.0])),
        weights=weights if criterion == "learned" else (),
    )


@st.composite
def inner_exits(draw, workshop, place, part, n_classes):
    """In some of the places where one can stand."""
    made, width = [], None
    for after, layer in enumerate(part.layers[:-1], 1):
        width = getattr(layer, "n_out", width)
        if width and draw(st.booleans()):
            own = draw(parts(workshop, width, n_classes))
            made.append(InnerExit(place, after, own, draw(rules(n_classes))))
    return made


def log_odds(confidence):
    p = np.clip(confidence, 1e-12, 1 - 1e-12)
    return np.log(p) - np.log1p(-p)


def dividing(rule, scores):
    """The rule at a temperature that suits these scores, with a threshold between some and far from all."""
    spread = float(np.ptp(scores, axis=1).mean()) / 4
    rule = replace(rule, temperature=rule.temperature * max(spread, 1e-3))
    odds = np.sort(log_odds(rule.confidence(scores)))
    widest = np.diff(odds).argmax()
    if np.diff(odds)[widest] < 0.1:  # all alike
        return rule
    return replace(rule, threshold=float(1 / (1 + np.exp(-odds[widest : widest + 2].mean()))))


@st.composite
def networks(draw, workshop):
    """A whole bundle; exits are sure of some of 20 samples, features are what its codec is for."""
    preprocessing, n_classes = draw(preprocessings()), draw(st.integers(2, 5))
    head = draw(parts(workshop, preprocessing.n_features))
    encoder = draw(st.none() | parts(workshop, head.n_out))
    tail = draw(parts(workshop, (encoder or head).n_out, n_classes))
    bundle = workshop.bundle(
        preprocessing=preprocessing,
        classes=tuple(map(str, range(n_classes))),
        head=head,
        exit=draw(parts(workshop, head.n_out, n_classes)),
        encoder=encoder,
        tail=tail,
        exit_rule=draw(rules(n_classes)),
        inner_exits=(
            *draw(inner_exits(workshop, "head", head, n_classes)),
            *draw(inner_exits(workshop, "tail", tail, n_classes)),
        ),
    )
    raw = samples(preprocessing, 20)
    bundle = replace(bundle, codec=fit_codec(draw(st.sampled_from(CODECS)), edge_scores(bundle, raw)[1]))
    said = scores_of(bundle, raw).exits

    inner = tuple(replace(one, rule=dividing(one.rule, said[one.name])) for one in bundle.inner_exits)
    return replace(bundle, exit_rule=dividing(bundle.exit_rule, said["exit"]), inner_exits=inner)


def run(model, **inputs):
    """What ONNX Runtime makes of a model's inputs: name -> array."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


class OnnxWorkshop:
    """What the tests of this folder build with."""

    parts = staticmethod(parts)
    preprocessings = staticmethod(preprocessings)
    networks = staticmethod(networks)
    samples = staticmethod(samples)
    run = staticmethod(run)


@pytest.fixture(scope="session")
def bench():
    return OnnxWorkshop


@pytest.fixture
def served():
    """Starts a server for a bundle, gives its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers = []

    def start(bundle):
        server = TailServer(models_of(bundle), TailSettings())
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        servers.append(server)
        return f"127.0.0.1:{server.port}"

    yield start
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.stop(drain_s=0.1), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
