"""Models of ONNX in files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from offramp.export.folder import check_folder, write_folder

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto


def write_onnx(models: Mapping[str, ModelProto], path: str | os.PathLike[str]) -> dict[str, int]:
    """Put each model into the folder `path`, made for it, as NAME.onnx: all of them, or nothing.

    Returns:
        Bytes of each file, by the file's name.

    Raises:
        ConfigError: something is at `path` already, or the system refuses.
    """
    check_folder(path)
    files = {f"{name}.onnx": model.SerializeToString() for name, model in models.items()}
    write_folder(files, path)
    return {name: len(content) for name, content in files.items()}


def tensors(values: list[ValueInfoProto]) -> dict[str, tuple[str, list[str | int]]]:
    """Inputs or outputs of a model: name -> NumPy's name of the type, and the shape with "n" for the rows."""
    from onnx import helper

    return {
        value.name: (
            helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
            [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim],
        )
        for value in values
    }
