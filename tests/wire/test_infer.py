import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.errors import InputError, WireError
from offramp.wire import InferRequest, InferResponse, Tensor
from offramp.wire import open_inference_pb2 as oip

names = st.text(max_size=8)
shapes = hnp.array_shapes(max_dims=4, max_side=4)
arrays = hnp.arrays(np.uint8, shapes) | hnp.arrays(
    np.float32, shapes, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)
tensors = st.lists(st.builds(Tensor, names, arrays), max_size=3).map(tuple)
parameters = st.dictionaries(
    names,
    st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    max_size=3,
)
requests = st.builds(
    InferRequest,
    model_name=names,
    inputs=tensors,
    model_version=names,
    id=names,
    parameters=parameters,
    outputs=st.lists(names, max_size=2).map(tuple),
)
responses = st.builds(
    InferResponse, model_name=names, outputs=tensors, model_version=names, id=names, parameters=parameters
)


def contents(tensors):
    return [(t.name, t.array.dtype, t.array.shape, t.array.tobytes()) for t in tensors]


@given(request=requests)
def test_a_request_survives_the_wire(request):
    again = InferRequest.from_bytes(request.to_bytes())
    assert contents(again.inputs) == contents(request.inputs)
    for field in ("model_name", "model_version", "id", "parameters", "outputs"):
        assert getattr(again, field) == getattr(request, field)
    assert {k: type(v) for k, v in again.parameters.items()} == {
        k: type(v) for k, v in request.parameters.items()
    }


@given(response=responses)
def test_a_response_survives_the_wire(response):
    again = InferResponse.from_bytes(response.to_bytes())
    assert contents(again.outputs) == contents(response.outputs)
    for field in ("model_name", "model_version", "id", "parameters"):
        assert getattr(again, field) == getattr(response, field)


@given(request=requests)
def test_typed_contents_say_the_same_as_raw_ones(request):
    message = oip.ModelInferRequest.FromString(request.to_bytes())
    del message.raw_input_contents[:]
    for tensor, written in zip(request.inputs, message.inputs, strict=True):
        field = "fp32_contents" if tensor.datatype == "FP32" else "uint_contents"
        getattr(written.contents, field).extend(tensor.array.ravel().tolist())
    assert contents(InferRequest.from_bytes(message.SerializeToString()).inputs) == contents(request.inputs)


@given(data=st.data(), message=requests | responses)
def test_mutated_bytes_are_a_value_or_a_wire_error(data, message):
    mutated = bytearray(message.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(mutated)))
        cut = data.draw(st.integers(0, 2))
        mutated[position : position + cut] = data.draw(st.binary(max_size=4))
    for kind in (InferRequest, InferResponse):
        try:
            value = kind.from_bytes(bytes(mutated))
        except WireError:
            continue
        for tensor in value.inputs if isinstance(value, InferRequest) else value.outputs:
            assert tensor.array.nbytes <= 4 * len(mutated)
            assert np.isfinite(tensor.array).all()


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_wire_error(data):
    for kind in (InferRequest, InferResponse):
        try:
            kind.from_bytes(data)
        except WireError as error:
            assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)


def test_empty_contents_beside_raw_ones_are_none():
    message = oip.ModelInferRequest.FromString(message_with(raw=[floats]))
    message.inputs[0].contents.CopyFrom(oip.InferTensorContents())  # as MLServer writes it
    assert message.inputs[0].HasField("contents")
    (tensor,) = InferRequest.from_bytes(message.SerializeToString()).inputs
    assert tensor.array.tolist() == [[1, 2]]


def message_with(*, raw=None, datatype="FP32", shape=(1, 2), **typed):
    tensor = oip.ModelInferRequest.InferInputTensor(name="x", datatype=datatype, shape=shape)
    if typed:
        tensor.contents.CopyFrom(oip.InferTensorContents(**typed))
    return oip.ModelInferRequest(
        model_name="m", inputs=[tensor], raw_input_contents=[] if raw is None else raw
    ).SerializeToString()


floats = np.array([1, 2], "<f4").tobytes()
not_finite = np.array([1, np.nan], "<f4").tobytes()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff", "1 bytes that are no ModelInferRequest"),
        (b"\x0a\x01\xff", "no ModelInferRequest"),
        (message_with(raw=[floats, floats]), "2 raw contents for 1 tensors; send one for each"),
        (message_with(raw=[floats], fp32_contents=[1, 2]), "contents beside raw contents; send one of them"),
        (message_with(raw=[floats[:-1]]), r"FP32 of shape \(1, 2\) takes 8 bytes, not 7"),
        (message_with(raw=[floats], shape=(2**62, 4)), "takes 73786976294838206464 bytes, not 8"),
        (message_with(raw=[floats], shape=(-1, 2)), r"shape \(-1, 2\); every size must be at least 1"),
        (message_with(raw=[b""], shape=(0, 2)), r"shape \(0, 2\); every size must be at least 1"),
        (message_with(raw=[floats], shape=()), "0 dimensions; use 1 to 8"),
        (message_with(raw=[floats], shape=[1] * 9), "9 dimensions; use 1 to 8"),
        (message_with(raw=[floats], datatype="INT64"), "datatype 'INT64'; use FP32 or UINT8"),
        (message_with(raw=[not_finite]), "tensor 'x' holds nan at 1; every value must be finite"),
        (message_with(fp32_contents=[1]), r"shape \(1, 2\) takes 2 elements, not 1"),
        (message_with(), r"shape \(1, 2\) takes 2 elements, not 0"),
        (message_with(fp32_contents=[1, float("inf")]), "holds inf at 1"),
        (message_with(fp64_contents=[1, 2]), "is FP32 but has fp64_contents; fill fp32_contents"),
        (message_with(datatype="UINT8", uint_contents=[1, 256]), "is UINT8 but holds 256"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_that_contradicts_itself_is_refused(data, text):
    with pytest.raises(WireError, match=text):
        InferRequest.from_bytes(data)


def test_a_parameter_without_a_value_is_refused():
    message = oip.ModelInferRequest(parameters={"codec": oip.InferParameter()})
    with pytest.raises(WireError, match="parameter 'codec' has no value"):
        InferRequest.from_bytes(message.SerializeToString())


def test_a_number_beyond_64_bits_cannot_be_written():
    with pytest.raises(InputError, match=r"parameter 'n' is 18446744073709551616; .* fit in 64 bits"):
        InferRequest("m", (), parameters={"n": 2**64}).to_bytes()


@pytest.mark.parametrize("array", [np.zeros(2), np.zeros((0, 2), np.uint8), np.zeros((), np.uint8)], ids=str)
def test_a_tensor_that_the_wire_cannot_carry_is_the_callers_fault(array):
    with pytest.raises(InputError, match="tensor 'x'"):
        Tensor("x", array)
