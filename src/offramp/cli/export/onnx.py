"""offramp export onnx: head, exit, tail and the whole network for ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offramp.bundle import check_exits, present, read
from offramp.cli.console import print_json, print_line
from offramp.cli.options import BundleFolder
from offramp.export import check_folder, missing_parts, onnx_device_model, onnx_models, write_onnx
from offramp.export.onnx import tensors

if TYPE_CHECKING:
    from onnx import ModelProto


def onnx(
    bundle: BundleFolder,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to make; nothing may be there.", show_default=False)
    ],
    int8: Annotated[
        bool,
        typer.Option("--int8", help="The device in integers too, as microcontrollers compute it."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write head, exit and tail as ONNX models, and the whole network as one, for ONNX Runtime.

    The head reads raw samples, the exit says how sure it is, the tail reads features as
    they arrive. The whole computes everything, codec included, and picks the answer that
    the system gives in mode split+exit. Parts whose files are not here are left out.

    [bold]Examples[/bold]

      offramp export onnx digits.bundle -o digits.onnx
      offramp export onnx digits.bundle --int8 -o digits.onnx
      offramp serve digits.bundle --tail digits.onnx/tail.onnx
    """
    check_folder(output)
    parts = present(bundle)
    for place in ("head", "tail"):
        if place in parts:
            check_exits(bundle, place)
    content = read(bundle, parts=parts)
    models = onnx_models(content)
    if int8:
        models["device.int8"] = onnx_device_model(content)
    sizes = write_onnx(models, output)
    told = {
        name: _told(model, file, n_bytes)
        for (name, model), (file, n_bytes) in zip(models.items(), sizes.items(), strict=True)
    }
    left_out = {name: missing for name, missing in missing_parts(content).items() if missing}
    if as_json:
        print_json({"folder": str(output), "models": told, "left_out": left_out})
        return
    for one in told.values():
        print_line(f"{output / one['file']}: {_line(one)}")
    for name, missing in left_out.items():
        files = " and ".join(f"{part}.safetensors" for part in missing)
        print_line(f"left out: {name}.onnx, which takes {files}; copy it into {bundle}")


def _told(model: ModelProto, file: str, n_bytes: int) -> dict[str, Any]:
    def listed(values: Any) -> list[dict[str, Any]]:
        return [
            {"name": name, "dtype": dtype, "shape": shape} for name, (dtype, shape) in tensors(values).items()
        ]

    return {
        "file": file,
        "bytes": n_bytes,
        "inputs": listed(model.graph.input),
        "outputs": listed(model.graph.output),
    }


def _line(told: dict[str, Any]) -> str:
    reads, gives = (
        ", ".join(
            f"{one['name']} {one['dtype']} [{', '.join(map(str, one['shape']))}]" for one in told[which]
        )
        for which in ("inputs", "outputs")
    )
    return f"{reads} -> {gives}; {told['bytes']:,} bytes"
