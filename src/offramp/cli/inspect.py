"""offramp inspect: what is in a bundle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table

from offramp.bundle import Bundle, Layer, Part, ReluLayer, SparseLinearLayer, part_bytes, present, read
from offramp.cli.console import print_json, print_line, print_wide
from offramp.cli.options import BundleFolder

DIGEST_LENGTH = 64  # of SHA-256 in hex; --json has them in full


def inspect(
    bundle: BundleFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a bundle: layers, sizes, exit rule, codec, preprocessing.

    Parts whose files are not here, as the tail's on a device, are left out.

    [bold]Examples[/bold]

      offramp inspect digits.bundle
      offramp inspect digits.bundle --json | jq .parts.head.parameters
    """
    content = describe(read(bundle, parts=present(bundle)), bundle)
    if as_json:
        print_json(content)
    else:
        _print(content)


def describe(bundle: Bundle, path: Path) -> dict[str, Any]:
    """Everything about a bundle as JSON values; sizes on disk are those of the files at `path`."""
    return {
        "name": bundle.name,
        "head_digest": bundle.head_digest,
        "classes": list(bundle.classes),
        "codec": bundle.codec,
        "exit_rule": {
            "criterion": bundle.exit_rule.criterion,
            "threshold": bundle.exit_rule.threshold,
            "evidence": dict(bundle.exit_rule.evidence),
        },
        "preprocessing": msgspec.to_builtins(bundle.preprocessing),
        "parts": {name: _part(part, part_bytes(path, name)) for name, part in bundle.parts.items()},
        "training": bundle.training,
    }


def _part(part: Part, n_bytes: int) -> dict[str, Any]:
    return {
        "layers": [_layer(layer) for layer in part.layers],
        "parameters": part.n_parameters,
        "macs": part.n_macs,
        "bytes": n_bytes,
        "digest": part.digest,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, ReluLayer):
        return {"kind": "relu"}
    degrees: dict[str, Any] = {"out_degree": layer.n_out, "in_degree": layer.n_in, "block": None}
    if isinstance(layer, SparseLinearLayer):
        degrees = {"out_degree": layer.out_degree, "in_degree": layer.in_degree, "block": layer.block}
    return {
        "kind": "sparse" if isinstance(layer, SparseLinearLayer) else "dense",
        "n_in": layer.n_in,
        "n_out": layer.n_out,
        **degrees,
        "density": layer.n_edges / (layer.n_in * layer.n_out),
        "parameters": layer.n_edges + layer.n_out * layer.bias,
        "macs": layer.n_edges,
    }


def _print(content: dict[str, Any]) -> None:
    print_wide(_layer_table(content["parts"]))
    for name, value in _facts(content).items():
        print_line(f"{name:<14} {value}")


def _layer_table(parts: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for title in ("part", "layer"):
        table.add_column(title, no_wrap=True)
    for title in ("in → out", "out-degree", "in-degree", "block", "density", "params", "MACs", "bytes"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, part in parts.items():
        junctions = [layer for layer in part["layers"] if layer["kind"] != "relu"]
        for layer in junctions:
            table.add_row(
                name if layer is junctions[0] else "",
                layer["kind"],
                f"{layer['n_in']:,} → {layer['n_out']:,}",
                f"{layer['out_degree']:,}",
                f"{layer['in_degree']:,}",
                "×".join(map(str, layer["block"] or "")),
                f"{layer['density']:.4g}",
                f"{layer['parameters']:,}",
                f"{layer['macs']:,}",
            )
        totals = (f"{part[key]:,}" for key in ("parameters", "macs", "bytes"))
        table.add_row("", "in all", "", "", "", "", "", *totals, style="bold", end_section=True)
    return table


def _facts(content: dict[str, Any]) -> dict[str, str]:
    """Everything that is no layer."""
    rule = content["exit_rule"]
    training = {key: value for key, value in content["training"].items() if key != "history"}
    return {
        "name": content["name"],
        "classes": f"{len(content['classes'])}: {_listed(content['classes'])}",
        "codec": content["codec"],
        "exit rule": f"{rule['criterion']} at least {rule['threshold']:.6g}",
        "evidence": _pairs(rule["evidence"]),
        "preprocessing": _pairs(content["preprocessing"]),
        "training": _pairs(training),
        "head digest": content["head_digest"],
    } | {f"{name} digest": part["digest"] for name, part in content["parts"].items() if name != "head"}


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_words(value)}" for key, value in values.items()) or "none"


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return f"[{_listed(value)}]"
    if isinstance(value, dict):
        return f"({_pairs(value)})"
    return value[:12] if isinstance(value, str) and len(value) == DIGEST_LENGTH else str(value)


def _listed(values: Sequence[Any]) -> str:
    """The values, or the first few of many: one offset for each of 784 pixels helps nobody."""
    return ", ".join(map(_words, values[:10])) + (", ..." if len(values) > 10 else "")
