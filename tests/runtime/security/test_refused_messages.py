"""Malformed messages: each is refused with the line that the page on the wire lists."""

import re
from pathlib import Path

import grpc
import numpy as np
import pytest

from offramp.wire import SERVICE, InferResponse
from offramp.wire import open_inference_pb2 as oip

PAGE = Path(__file__).parents[3] / "docs" / "formats" / "wire.md"
TITLE = "Messages that are refused"
HUGE = (2**40, 2**40)

zeros = np.zeros((1, 8), "<f4").tobytes()
with_nan = np.array([[0, 0, np.nan, 0, 0, 0, 0, 0]], "<f4").tobytes()


def message(shape=(1, 8), datatype="FP32", *, raw=None, model="tiny.tail", parameters=(), **typed):
    tensor = oip.ModelInferRequest.InferInputTensor(name="x", datatype=datatype, shape=shape)
    if typed:
        tensor.contents.CopyFrom(oip.InferTensorContents(**typed))
    made = oip.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[raw] if raw else [])
    for name, value in dict(parameters).items():
        made.parameters[name].string_param = value
    return made.SerializeToString()


def cases(head_digest):
    """What the page calls it -> the bytes that are sent."""

    def coded(raw=zeros, **changes):
        parameters = {"codec": "float32", "shape": "8", "dtype": "float32", "head_digest": head_digest}
        return message((1, len(raw)), "UINT8", raw=raw, parameters=parameters | changes)

    return {
        "larger than the size limit": message(raw=bytes(5 << 20)),
        "bytes that are no message": b"\xff\xff",
        "altered on its way": message(raw=zeros, parameters={"check": "0" * 16}),
        "unknown model": message(raw=zeros, model="huge"),
        "model named by control characters": message(raw=zeros, model="\x1b[31m\n"),
        "features of another head": coded(head_digest="f" * 64),
        "datatype, raw": message(raw=zeros, datatype="INT64"),
        "datatype, typed": message(int64_contents=[0] * 8),
        "raw and typed at once": message(raw=zeros, fp32_contents=[0] * 8),
        "width": message((1, 7), raw=zeros[:28]),
        "length, raw": message(raw=2 * zeros),
        "length, typed": message(fp32_contents=[0] * 9),
        "overflowing shape, raw": message(HUGE, raw=zeros),
        "overflowing shape, typed": message(HUGE, fp32_contents=[0] * 8),
        "no row": message((0, 8), fp32_contents=[]),
        "negative size": message((-1, 8), raw=zeros),
        "no dimension": message((), raw=zeros),
        "too many dimensions": message((1,) * 9 + (8,), raw=zeros),
        "NaN, raw": message(raw=with_nan),
        "infinity, typed": message(fp32_contents=[float("inf")] + [0] * 7),
        "value above 255, typed": message((1, 8), "UINT8", uint_contents=[300] * 8),
        "coded without its parameters": message((1, 32), "UINT8", raw=zeros),
        "unknown codec": coded(codec="zip"),
        "other parameters of a codec": coded(codec_digest="f" * 16),
        "shape of a decoded row": coded(shape="9"),
        "dtype of a decoded row": coded(dtype="float64"),
        "coded rows too long": coded(raw=zeros + b"0"),
        "coded rows too short": coded(raw=zeros[:-1]),
        "NaN, coded": coded(raw=with_nan),
    }


def listed():
    """What -> status and line, as the page has them."""
    section = PAGE.read_text(encoding="utf-8").split(f"### {TITLE}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (?!what)(.+?) \| `(.+?)` \| `(.+)` \|$", section, re.MULTILINE)
    return {what: (status, line) for what, status, line in rows}


def pattern(line):
    """The line as a regular expression; the page's `…` is anything."""
    return ".*".join(map(re.escape, line.split("…")))


@pytest.fixture
def channel(host, bundle):
    with grpc.insecure_channel(host(bundle)) as made:
        yield made


def test_the_page_lists_each_case_and_no_other(bundle):
    assert list(listed()) == list(cases(bundle.features_digest))


def test_each_message_is_refused_with_its_line_and_the_server_lives_on(bundle, channel):
    infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
    expected = listed()
    for what, data in cases(bundle.features_digest).items():
        with pytest.raises(grpc.RpcError) as caught:
            infer(data, timeout=10)
        status, line = expected[what]
        assert caught.value.code().name == status, what
        assert re.fullmatch(pattern(line), caught.value.details()), (what, caught.value.details())
    answered = infer(message(raw=zeros), timeout=10)
    assert InferResponse.from_bytes(answered).outputs[0].array.shape == (1, 3)


def test_on_one_stream_each_is_told_and_the_stream_goes_on(bundle, channel):
    asked = cases(bundle.features_digest)
    too_large = asked.pop("larger than the size limit")
    expected = listed()
    call = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")
    said = [
        oip.ModelStreamInferResponse.FromString(answer)
        for answer in call(iter([*asked.values(), message(raw=zeros)]), timeout=20)
    ]
    errors = [answer.error_message for answer in said if answer.error_message]
    assert len(said) == len(errors) + 1 == len(asked) + 1
    for what in asked:
        wanted = pattern(": ".join(expected[what]))
        assert any(re.fullmatch(wanted, error) for error in errors), (what, errors)
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter([too_large]), timeout=20))
    assert caught.value.code().name == "RESOURCE_EXHAUSTED"
    assert re.fullmatch(pattern(expected["larger than the size limit"][1]), caught.value.details())
