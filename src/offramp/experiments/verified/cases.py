"""The table of cases: every index encoding, codec, criterion and kind of sample."""

from __future__ import annotations

from offramp.bundle import Preprocessing
from offramp.exits import NEVER, ExitRule
from offramp.experiments.verified.networks import Case, Junction

BYTES = Preprocessing((8, 8), "uint8", scale=1 / 255)
PADDED = Preprocessing((60,), "uint8", scale=1 / 255, offset=30, pad_to=64)
EACH = Preprocessing(
    (60,),
    "uint8",
    offset=tuple(float(i) for i in range(60)),
    scale=tuple((i - 20) / 2000 for i in range(60)),
    pad_to=64,
)
POOLED = Preprocessing((16, 12), "uint8", pool=2, offset=30, scale=1 / 100, pad_to=64)
POOLED_3 = Preprocessing((24, 18), "uint8", pool=3, scale=1 / 255)
POOLED_4 = Preprocessing((32, 32), "uint8", pool=4, scale=1 / 255)
TALL = Preprocessing((520, 4), "uint8", pool=2, scale=1 / 255)  # more windows than a byte counts
FLOATS = Preprocessing((60,), "float32", offset=0.5, scale=2, pad_to=64)
POOLED_FLOATS = Preprocessing((24, 18), "float32", pool=3, pad_to=64)
WIDE = Preprocessing((32, 32), "uint8", scale=1 / 255)
FAR = Preprocessing((512,), "uint8", scale=1 / 255)
RAW = Preprocessing((24,), "uint8")

LEARNED = ExitRule(0.5, "learned", temperature=0.7, weights=(0.3, -0.8, 0.4, 0.2, -0.1, 0.6))
SPARSE = Junction(n_out=16, out_degree=4)
DENSE = Junction(n_out=12)
SAME = Junction(n_out=24, out_degree=1, pattern="same", bias=False)
DEEP_EXIT = (Junction(n_out=8), Junction(n_out=5))


def _blocks(n_out: int, out_degree: int, r: int, c: int, *, relu: bool = True) -> Junction:
    return Junction(n_out=n_out, out_degree=out_degree, block=(r, c), relu=relu)


def _affine(n_out: int, out_degree: int, r: int = 1, c: int = 1) -> Junction:
    return Junction(n_out=n_out, out_degree=out_degree, block=(r, c), pattern="affine")


CASES: tuple[Case, ...] = (
    # Encodings, in integers.
    Case(name="dense", head=(DENSE,), preprocessing=BYTES, codec="float32"),
    Case(name="u8", head=(SPARSE, SPARSE), exit=DEEP_EXIT, preprocessing=PADDED, codec="int4"),
    Case(name="u8-4x2", head=(_blocks(16, 4, 4, 2),), preprocessing=EACH, codec="int8-zeros"),
    Case(name="u8-8x4", head=(_blocks(32, 8, 8, 4),), preprocessing=POOLED, codec="float16"),
    Case(name="u8-8x4-by-2", head=(_blocks(32, 8, 8, 4),), preprocessing=BYTES, together=2),
    Case(name="u8-3x2", head=(DENSE, _blocks(8, 4, 3, 2, relu=False)), preprocessing=BYTES, together=1),
    Case(name="u8-16x1", head=(_blocks(16, 4, 16, 1),), preprocessing=FLOATS, codec="int8-range"),
    Case(
        name="u16",
        head=(Junction(n_out=64, out_degree=2, bias=False),),
        preprocessing=WIDE,
        kind="u16",
        codec="int4-zeros",
        rule=ExitRule(0.3, "margin"),
    ),
    Case(
        name="u16-2x2",
        head=(_blocks(32, 2, 2, 2),),
        preprocessing=WIDE,
        kind="u16",
        codec="int4-range",
        rule=ExitRule(0.4, "entropy"),
    ),
    Case(name="delta", head=(Junction(n_out=128, out_degree=1),), preprocessing=WIDE, kind="delta"),
    Case(
        name="delta-steps",
        head=(Junction(n_out=256, out_degree=1, pattern="steps"), _blocks(16, 4, 2, 2)),
        preprocessing=FAR,
        kind="delta",
        rule=LEARNED,
    ),
    Case(
        name="delta-2x1", head=(_blocks(128, 1, 2, 1),), preprocessing=WIDE, kind="delta", codec="int8-zeros"
    ),
    Case(name="affine", head=(_affine(16, 3),), preprocessing=POOLED_FLOATS, kind="affine", codec="int4"),
    Case(name="affine-4x2", head=(_affine(32, 6, 4, 2),), preprocessing=PADDED, kind="affine", together=1),
    # Streaming.
    Case(name="pushed", head=(DENSE, SPARSE), preprocessing=BYTES, streaming=True, pushed=True),
    Case(
        name="pushed-4x2",
        head=(_blocks(16, 4, 4, 2),),
        preprocessing=PADDED,
        streaming=True,
        pushed=True,
        codec="int4-range",
        rule=ExitRule(0.0, "entropy"),
    ),
    Case(
        name="streamed-wide",
        head=(Junction(n_out=320, out_degree=10), DENSE),
        preprocessing=POOLED,
        streaming=True,
        rule=ExitRule(NEVER),
    ),
    Case(name="pairs", head=(_blocks(16, 4, 4, 2), DENSE), preprocessing=POOLED, streaming=True, pushed=True),
    Case(name="pooled-3", head=(Junction(n_out=12, out_degree=4),), preprocessing=POOLED_3),
    Case(name="pooled-4", head=(SPARSE,), preprocessing=POOLED_4, streaming=True, pushed=True),
    Case(name="tall", head=(Junction(n_out=10, out_degree=1),), preprocessing=TALL, streaming=True),
    # Encoder, tail, classes, sums.
    Case(
        name="encoder",
        head=(SPARSE,),
        encoder=(Junction(n_out=6), Junction(n_out=4, relu=False)),
        tail=True,
        preprocessing=BYTES,
        codec="int4-zeros",
        rule=LEARNED,
    ),
    Case(
        name="encoder-floats",
        head=(Junction(n_out=12, relu=False),),
        encoder=(Junction(n_out=4),),
        tail=True,
        preprocessing=FLOATS,
        codec="float16",
    ),
    Case(
        name="two",
        head=(SPARSE,),
        exit=(Junction(n_out=2),),
        preprocessing=BYTES,
        rule=ExitRule(0.2, "margin", temperature=3.0),
    ),
    Case(
        name="many",
        head=(DENSE,),
        exit=(Junction(n_out=300, relu=False),),
        preprocessing=BYTES,
        rule=ExitRule(0.1, "entropy", temperature=0.05),
    ),
    Case(
        name="ties",
        head=(SPARSE,),
        exit=(Junction(n_out=5, bias=False, largest=True),),
        preprocessing=BYTES,
        rule=ExitRule(0.6, temperature=1e-3),
    ),
    Case(
        name="saturating",
        head=(Junction(n_out=16, out_degree=1), DENSE),
        preprocessing=PADDED,
        codec="float32",
        steps=(2e-5, 1e-4),
        rule=ExitRule(0.9, "margin", temperature=30.0),
    ),
    # Codecs, whose symbols are the sample's own bytes.
    Case(name="bytes-range", head=(SAME,), preprocessing=RAW, codec="int8-range", skewed=True),
    Case(name="bytes-zeros", head=(SAME,), preprocessing=RAW, codec="int8-zeros", skewed=True),
    Case(name="bytes-range4", head=(SAME,), preprocessing=RAW, codec="int4-range", skewed=True),
    # In float32.
    Case(
        name="float-u8",
        head=(SPARSE, SPARSE),
        preprocessing=EACH,
        numbers="float32",
        exit=DEEP_EXIT,
        codec="float16",
        tail=True,
    ),
    Case(
        name="float-3x2",
        head=(DENSE, _blocks(8, 4, 3, 2)),
        preprocessing=FLOATS,
        numbers="float32",
        codec="int4-range",
        rule=ExitRule(0.4, "entropy"),
    ),
    Case(
        name="float-16x1",
        head=(_blocks(16, 4, 16, 1),),
        encoder=(Junction(n_out=6, relu=False),),
        preprocessing=POOLED,
        numbers="float32",
        codec="int8-range",
        rule=LEARNED,
    ),
    Case(
        name="float-u16",
        head=(Junction(n_out=64, out_degree=2, relu=False),),
        preprocessing=WIDE,
        numbers="float32",
        kind="u16",
        codec="int8",
        rule=ExitRule(0.3, "margin"),
    ),
    Case(
        name="float-delta",
        head=(Junction(n_out=256, out_degree=1, pattern="steps"), DENSE),
        preprocessing=FAR,
        numbers="float32",
        kind="delta",
        codec="int4-zeros",
    ),
    Case(
        name="float-affine",
        head=(_affine(32, 6, 4, 2),),
        preprocessing=POOLED_FLOATS,
        numbers="float32",
        kind="affine",
        codec="float32",
    ),
    Case(
        name="float-pushed-affine",  # inputs come in another order than that of the formula
        head=(_affine(32, 6, 4, 2),),
        preprocessing=Preprocessing((24, 18), "float32", pool=3, pad_to=64),
        numbers="float32",
        streaming=True,
        kind="affine",
        codec="float32",
    ),
    Case(
        name="float-pushed",
        head=(_blocks(16, 4, 4, 2), DENSE),
        preprocessing=Preprocessing((60,), "float32", pad_to=64),
        numbers="float32",
        streaming=True,
        pushed=True,
        codec="int8-zeros",
    ),
)

# Sums that come near 2^31; it takes as many inputs as 16 bits can number.
LARGEST = Case(
    name="largest",
    head=(Junction(n_out=2, bias=False, largest=True),),
    exit=(Junction(n_out=2, relu=False),),
    preprocessing=Preprocessing((65_535,), "uint8"),
    codec="float32",
    steps=(65_535.0,),
    streaming=True,
    pushed=True,
)
