"""Random networks of every kind that integers know, quantised."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from offramp import pattern
from offramp.bundle import Bundle, LinearLayer, Part, Preprocessing, ReluLayer, SparseLinearLayer
from offramp.codec import CODECS, fit_codec
from offramp.exits import CRITERIA, NEVER, ExitRule
from offramp.plan.judgement.fitted_grids import fitted_grids
from offramp.runtime import edge_scores

N_CLASSES = 3
N_SAMPLES = 40
RELU = (ReluLayer(), {})

PREPROCESSINGS = {
    "bytes": Preprocessing((3, 4), "uint8", scale=1 / 255, pad_to=16),
    "bytes, each its own": Preprocessing(
        (12,), "uint8", offset=tuple(range(12)), scale=tuple(0.01 * (i - 5) for i in range(12)), pad_to=16
    ),
    "pooled bytes": Preprocessing((8, 6), "uint8", pool=2, offset=30, scale=1 / 100, pad_to=16),
    "floats": Preprocessing((12,), "float32", offset=0.5, scale=2, pad_to=16),
    "pooled floats": Preprocessing((6, 8), "float32", pool=2, pad_to=16),
}


def samples_for(preprocessing, n=N_SAMPLES, *, seed=0):
    rng = np.random.default_rng(seed)
    if preprocessing.dtype == "uint8":
        return rng.integers(0, 256, (n, *preprocessing.shape), dtype=np.uint8)
    return rng.standard_normal((n, *preprocessing.shape), np.float32)


def dense(rng, n_in, n_out, *, bias=True):
    arrays = {"weight": rng.standard_normal((n_out, n_in), np.float32)}
    return LinearLayer(n_in, n_out, bias), arrays | (
        {"bias": rng.standard_normal(n_out, np.float32)} if bias else {}
    )


def sparse(rng, n_in, n_out, out_degree, *, block=(1, 1), bias=True):
    made = pattern.block(n_in, n_out, out_degree, block=block, seed=3)
    layer = SparseLinearLayer(n_in, n_out, out_degree, block, bias, made.digest())
    arrays = {"weight": rng.standard_normal((*made.table.shape, block[0] * block[1]), np.float32)}
    arrays["table"] = made.table
    return layer, arrays | ({"bias": rng.standard_normal(n_out, np.float32)} if bias else {})


def part(*layers):
    arrays = {f"{i}.{name}": array for i, (_, own) in enumerate(layers) for name, array in own.items()}
    return Part(tuple(layer for layer, _ in layers), arrays)


@st.composite
def junctions(draw, n_in, n_out, seed):
    """A junction of any kind between widths that 4 divides, or to scores."""
    rng, bias = np.random.default_rng(seed), draw(st.booleans())
    if n_out % 4 or draw(st.booleans()):
        return dense(rng, n_in, n_out, bias=bias)
    block = draw(st.sampled_from([(1, 1), (2, 1), (1, 4), (2, 2), (4, 4)]))
    return sparse(
        rng,
        n_in,
        n_out,
        n_out // draw(st.sampled_from([1, 2])) // block[1] * block[1] or block[1],
        block=block,
        bias=bias,
    )


@st.composite
def rules(draw):
    """A rule of any criterion and threshold."""
    threshold = draw(st.one_of(st.sampled_from([0.0, NEVER]), st.floats(0.2, 0.99)))
    criterion = draw(st.sampled_from(CRITERIA))
    weights = ()
    if criterion == "learned":
        weights = tuple(draw(st.lists(st.floats(-1, 1), min_size=N_CLASSES + 1, max_size=N_CLASSES + 1)))
    temperature = draw(st.floats(0.2, 20))
    return ExitRule(threshold, criterion, temperature=temperature, weights=weights)


@st.composite
def bundles(draw, rule=None):
    """A quantised bundle of any kind, with this rule or any."""
    preprocessing = draw(st.sampled_from(list(PREPROCESSINGS.values())))
    n_features = draw(st.sampled_from([4, 8]))
    head = []
    width = preprocessing.n_features
    for seed, n_out in enumerate([8] * draw(st.booleans()) + [n_features]):
        head += [draw(junctions(width, n_out, seed)), RELU]
        width = n_out
    if draw(st.booleans()):
        head.pop()  # features may be below 0
    exit = [draw(junctions(n_features, N_CLASSES, 10))]
    if draw(st.booleans()):
        exit = [draw(junctions(n_features, 4, 11)), RELU, draw(junctions(4, N_CLASSES, 12)), RELU]
    encoder = None
    if draw(st.booleans()):
        encoder, width = part(draw(junctions(n_features, 4, 20))), 4
    bundle = Bundle(
        name="any",
        preprocessing=preprocessing,
        classes=("ant", "bee", "cat"),
        head=part(*head),
        exit=part(*exit),
        encoder=encoder,
        tail=part(draw(junctions(width, N_CLASSES, 30))),
        exit_rule=ExitRule(0.7),
    )
    samples = samples_for(preprocessing)
    bundle = replace(bundle, codec=fit_codec(draw(st.sampled_from(CODECS)), edge_scores(bundle, samples)[1]))
    quantisation = replace(fitted_grids(bundle, samples), rule=rule or draw(rules()))
    return replace(bundle, quantisation=quantisation)
