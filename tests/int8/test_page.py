"""docs/formats/int8.md, followed one number at a time by a reader that shares no code with offramp."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.int8.networks import bundles, samples_for

from offramp.int8 import IntegerDevice

f32, f64 = np.float32, float


def nearest(x, step=1):
    """x / step, ties to even."""
    return round(x / step)


def inputs(bundle, raw):
    """Symbols of one sample, and low and step of each."""
    rules = bundle.preprocessing
    if bundle.quantisation.input is not None:
        grid, values = bundle.quantisation.input, bundle.preprocessing(raw[None])[0]
        (low,), (step,) = grid.low, grid.step
        high = f32(f32(low) + f32(f32(255) * f32(step)))
        inside = [min(max(value, f32(low)), high) for value in values]
        symbols = [min(int(np.rint(f32(f32(x - f32(low)) / f32(step)))), 255) for x in inside]
        padding = [0.0] * (rules.n_features - rules.n_values)
        return symbols, [low] * rules.n_values + padding, [step] * rules.n_values + padding
    pool, symbols = rules.pool, []
    if pool == 1:
        symbols = [int(byte) for byte in raw.reshape(-1)]
    else:
        for i in range(0, raw.shape[0], pool):
            for k in range(0, raw.shape[1], pool):
                total = sum(int(raw[i + a, k + b]) for a in range(pool) for b in range(pool))
                symbols.append((total + pool**2 // 2) // pool**2)
    step = [f64(f32(one)) for one in np.broadcast_to(rules.scale, len(symbols))]
    offset = np.broadcast_to(rules.offset, len(symbols))
    low = [-(f64(f32(one)) * own) for one, own in zip(offset, step, strict=True)]
    padding = rules.n_features - len(symbols)
    return symbols + [0] * padding, low + [0.0] * padding, step + [0.0] * padding


def edges(part, place):
    """Of each output the inputs and weights, and its bias."""
    layer, arrays = part.layers[place], part.arrays
    weight = arrays[f"{place}.weight"]
    bias = arrays.get(f"{place}.bias", np.zeros(layer.n_out))
    for o in range(layer.n_out):
        if f"{place}.table" not in arrays:
            yield range(layer.n_in), [f64(w) for w in weight[o]], f64(bias[o])
            continue
        (r, c), row = layer.block, arrays[f"{place}.table"][o // layer.block[1]].tolist()
        names = [block * r + i for block in row for i in range(r)]
        own = [f64(weight[o // c, k, i * c + o % c]) for k in range(len(row)) for i in range(r)]
        yield names, own, f64(bias[o])


def junction(part, place, symbols, low, step, grid):
    """Symbols of the grid, or sums and their unit where there is none."""
    units, rows = [], []
    for number, (names, weights, bias) in enumerate(edges(part, place)):
        real = [w * step[i] for i, w in zip(names, weights, strict=True)]
        # Of exact terms: each product is rounded, their sum once.
        moved = f64(sum((Fraction(w * low[i]) for i, w in zip(names, weights, strict=True)), Fraction(bias)))
        if grid is not None:
            moved -= grid.low[number]
        units.append(max(max(abs(w) for w in real) / 127, abs(moved) / 2**24) or 1.0)
        rows.append((names, real, moved))
    if grid is None:
        units = [max(units)] * len(units)
    sums = []
    for (names, real, moved), unit in zip(rows, units, strict=True):
        products = (nearest(w, unit) * symbols[i] for i, w in zip(names, real, strict=True))
        sums.append(nearest(moved, unit) + sum(products))
    if grid is None:
        return sums, units[0]
    ratios = [
        unit / own if any(row[1]) or row[2] else 0.0
        for unit, own, row in zip(units, grid.step, rows, strict=True)
    ]
    e = math.frexp(max(ratios))[1]
    lift = max(0, e + 1)
    shift = min(47, 16 - (e - lift))
    made, limit = [], 2**grid.bits - 1
    for total, ratio in zip(sums, ratios, strict=True):
        multiplier = min(65535, nearest(ratio * 2.0 ** (shift - lift)))
        made.append(min(limit, (max(total, 0) * 2**lift * multiplier + 2 ** (shift - 1)) // 2**shift))
    return made, None


def part_of(bundle, name, symbols, low, step):
    """What each junction gives, and the unit of scores."""
    part, grids = bundle.parts[name], list(bundle.quantisation.grids.get(name, ()))
    if name == ("encoder" if bundle.encoder else "head") and hasattr(bundle.codec, "grid"):
        grids.append(bundle.codec.grid)
    places = [i for i, layer in enumerate(part.layers) if hasattr(layer, "n_in")]
    given, unit = [], None
    for place, grid in zip(places, grids + [None] * (len(places) - len(grids)), strict=True):
        symbols, unit = junction(part, place, symbols, low, step, grid)
        relu = place + 1 < len(part.layers)
        given.append([max(one, 0) for one in symbols] if relu and grid is None else symbols)
        if grid is not None:
            low, step = grid.low, grid.step
    return given, low, step, unit


@settings(max_examples=12)
@given(bundles(), st.integers(0, 99))
def test_whoever_follows_the_page_computes_what_we_do(bundle, seed):
    device, (raw,) = IntegerDevice(bundle), samples_for(bundle.preprocessing, 1, seed=seed)
    trace = device.trace(raw[None])
    symbols, low, step = inputs(bundle, raw)
    assert symbols == trace.inputs[0].tolist()
    head, low, step, _ = part_of(bundle, "head", symbols, low, step)
    assert head == [one[0].tolist() for one in trace.head]
    exit, _, _, unit = part_of(bundle, "exit", head[-1], low, step)
    assert exit == [one[0].tolist() for one in trace.exit]
    assert unit == device.rule.unit
    sent, symbols = device.sent_grid, head[-1]
    if bundle.encoder:
        encoder, _, _, _ = part_of(bundle, "encoder", symbols, low, step)
        assert encoder == [one[0].tolist() for one in trace.encoder]
        symbols = encoder[-1]
    values = [
        f32(f32(lo) + f32(f32(st) * f32(q))) for lo, st, q in zip(sent.low, sent.step, symbols, strict=True)
    ]
    np.testing.assert_array_equal(device.values(trace.sent)[0], values)


# --- the exit's level ---------------------------------------------------------------------------------------


def exp2(x):
    f = x % 4096
    return (65536 - f * (45313 - f * (15110 - f * 2565 // 4096) // 4096) // 4096) >> min(x // 4096, 31)


def log2(w):
    t = w.bit_length() - 1
    g = (w >> (t - 12)) % 4096
    return (t - 16) * 4096 + g * (
        94293 - g * (44440 - g * (21081 - g * 5397 // 4096) // 4096) // 4096
    ) // 65536


def level(rule, unit, scores):
    k = min(unit / (rule.temperature * math.log(2)) * 2**12, 2.0**20)
    e = math.frexp(k)[1]
    lift = max(0, e)
    shift = min(47, 16 - (e - lift))
    multiplier = min(65535, nearest(k * 2.0 ** (shift - lift)))
    most = (2**32 - 1) // 2**lift
    octaves = [min(min(max(scores) - s, most) * 2**lift * multiplier // 2**shift, 2**20 - 1) for s in scores]
    octaves.sort()
    if rule.criterion == "learned":
        *w, c = rule.weights
        v = [0.0] + [one * math.log(2) / 2**8 for one in w[1:]]
        bits = 14 - math.frexp(max(sum(abs(one) for one in v), abs(c) / 2**15, 2.0**-40))[1]
        weights = [nearest(one * 2.0**bits) for one in v]
        return nearest(c * 2.0**bits) - sum(
            one * (x // 2**4) for one, x in zip(weights, octaves, strict=True)
        )
    shares = [exp2(x) for x in octaves]
    others = sum(shares[1:])
    whole = 2**16 + others
    if rule.criterion == "max_softmax":
        return -others
    if rule.criterion == "margin":
        return (2**16 - shares[1]) * 2**15 // whole
    surprise = sum(one * x // 2**8 for one, x in zip(shares, octaves, strict=True)) // (whole // 2**8)
    return -(log2(whole) + surprise)


@settings(max_examples=12)
@given(bundles(), st.integers(0, 99))
def test_whoever_follows_the_page_finds_our_levels(bundle, seed):
    device = IntegerDevice(bundle)
    scores = device.trace(samples_for(bundle.preprocessing, 10, seed=seed)).scores
    ours = device.rule.level(scores)
    for row, own in zip(scores.tolist(), ours.tolist(), strict=True):
        assert level(bundle.quantisation.rule, device.rule.unit, row) == own
