import numpy as np

from offramp.wire import InferRequest, InferResponse, Tensor, stream_error, stream_response
from offramp.wire import open_inference_pb2 as oip


def test_a_response_comes_through_as_it_is():
    response = InferResponse("m", (Tensor("scores", np.ones((1, 3), np.float32)),), id="7").to_bytes()
    answer = oip.ModelStreamInferResponse.FromString(stream_response(response))
    assert answer.error_message == ""
    assert answer.infer_response == oip.ModelInferResponse.FromString(response)


def test_an_error_says_whose_it_is_where_that_can_be_read():
    answer = oip.ModelStreamInferResponse.FromString(
        stream_error("no", InferRequest("m", (), id="7").to_bytes())
    )
    assert (answer.error_message, answer.infer_response.id, answer.infer_response.model_name) == (
        "no",
        "7",
        "m",
    )
    unreadable = oip.ModelStreamInferResponse.FromString(stream_error("no", b"\xff\xff"))
    assert (unreadable.error_message, unreadable.infer_response.id) == ("no", "")
    assert unreadable.HasField("infer_response")
