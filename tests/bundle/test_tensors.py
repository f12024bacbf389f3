import numpy as np
import pytest
import safetensors.numpy

from offramp.bundle.tensors import from_bytes, to_bytes
from offramp.errors import BundleError


def test_the_file_is_plain_safetensors_with_small_tables(workshop):
    head = workshop.build().head
    tensors = safetensors.numpy.load(to_bytes(head))
    assert {name: str(array.dtype) for name, array in tensors.items()} == {
        "0.weight": "float32",
        "0.table": "uint8",
        "0.bias": "float32",
    }
    np.testing.assert_array_equal(tensors["0.table"], head.arrays["0.table"])


def test_the_same_part_is_always_the_same_file_and_comes_back_whole(workshop):
    for part in workshop.build().parts.values():
        data = to_bytes(part)
        assert to_bytes(part) == data
        back = from_bytes(part.layers, data)
        assert back == part
        assert {name: array.dtype for name, array in back.arrays.items()} == {
            name: array.dtype for name, array in part.arrays.items()
        }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"0.weight": None}, "arrays missing: 0.weight; superfluous: none"),
        ({"9.evil": np.zeros(1, np.uint8)}, "arrays missing: none; superfluous: 9.evil"),
        (
            {"0.table": np.zeros((8, 2), np.int32)},
            r"array 0.table is I32 \(8, 2\); its layer needs U8 \(8, 2\)",
        ),
        (
            {"0.bias": np.zeros((8, 1), np.float32)},
            r"array 0.bias is F32 \(8, 1\); its layer needs F32 \(8,\)",
        ),
        ({"0.weight": np.zeros((8, 2, 2), np.float16)}, "array 0.weight is F16 .*its layer needs F32"),
        ({"0.weight": np.full((8, 2, 2), np.inf, np.float32)}, "array 0.weight holds NaN or infinity"),
        ({"0.table": np.full((8, 2), 255, np.uint8)}, "array 0.table is no pattern"),
    ],
    ids=["missing", "superfluous", "table type", "shape", "half floats", "infinite", "no pattern"],
)
def test_a_file_with_other_arrays_than_the_layers_own_is_refused(workshop, changes, message):
    head = workshop.build().head
    tensors = {k: v for k, v in (safetensors.numpy.load(to_bytes(head)) | changes).items() if v is not None}
    with pytest.raises(BundleError, match=message):
        from_bytes(head.layers, safetensors.numpy.save(tensors))


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, b"\xff" * 64, b"\x80\x04N."], ids=["none", "zeros", "ones", "pickle"]
)
def test_what_is_no_safetensors_file_is_refused(workshop, data):
    with pytest.raises(BundleError, match="not a safetensors file: "):
        from_bytes(workshop.build().head.layers, data)
