"""offramp inspect: what is in a bundle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table

from offramp.bundle import (
    Bundle,
    Layer,
    Part,
    Quantisation,
    ReluLayer,
    SparseLinearLayer,
    part_bytes,
    present,
    read,
)
from offramp.cli.console import print_json, print_line, print_wide
from offramp.cli.footprint import print_footprint
from offramp.cli.options import BundleFolder, FlashBytes, PreferOption, RamBytes, Streaming
from offramp.exits import ExitRule
from offramp.export.c import chosen_program
from offramp.plan import JunctionSpeed, measure_part
from offramp.plan.footprint import footprint

MAX_BATCH = 65_536  # its input alone takes gigabytes in a wide network
Speeds = Mapping[str, Mapping[int, JunctionSpeed]]  # by part, then by place of the layer

DIGEST_LENGTH = 64  # of SHA-256 in hex; --json has them in full


def inspect(
    bundle: BundleFolder,
    batch: Annotated[
        int, typer.Option(min=1, max=MAX_BATCH, help="Samples at once when the speed is measured.")
    ] = 1,
    speed: Annotated[
        bool, typer.Option("--speed/--no-speed", help="Measure every junction against a dense layer here.")
    ] = True,
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="NAME",
            help="Show instead what its export to C takes of a processor, such as cortex-m0.",
            show_default="no processor",
        ),
    ] = "",
    numbers: Annotated[
        bool, typer.Option("--int8/--float32", help="With --target: integers, or floats.")
    ] = True,
    prefer: PreferOption = "size",
    streaming: Streaming = None,
    flash: FlashBytes = None,
    ram: RamBytes = None,
    toolchain: Annotated[
        bool | None,
        typer.Option(
            "--toolchain/--own-count",
            help="With --target: build and run it, or count without.",
            show_default="as is installed",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a bundle: layers, sizes, speed here, exit rule, codec.

    Parts whose files are not here, as the tail's on a device, are left out. The
    speed is that of this machine now: every junction and a dense layer of its
    widths (NumPy's matmul) in turn, one thread each. A line says so where dense
    would be faster.

    With --target it is what offramp export c makes of the bundle: flash, RAM, stack and
    instructions, by the processor's compiler and emulator where they are installed, and
    whether a chip has room for it.

    [bold]Examples[/bold]

      offramp inspect digits.bundle
      offramp inspect digits.bundle --batch 256
      offramp inspect digits.bundle --no-speed --json | jq .parts.head.parameters
      offramp inspect m8 --target cortex-m0 --flash 16K --ram 4K
    """
    whole = read(bundle, parts=present(bundle))
    if target:
        made = chosen_program(
            whole, "int8" if numbers else "float32", target=target, prefer=prefer, streaming=streaming
        )
        weighed = footprint(made, target, toolchain=toolchain)
        if as_json:
            print_json(weighed.to_json())
        else:
            print_footprint(weighed)
        weighed.check_fits(flash_bytes=flash, ram_bytes=ram)
        return
    speeds: Speeds = {}
    if speed:
        speeds = {name: measure_part(part, batch=batch) for name, part in whole.parts.items()}
    content = describe(whole, bundle, speeds)
    if as_json:
        print_json(content)
    else:
        _print(content)


def describe(bundle: Bundle, path: Path, speeds: Speeds) -> dict[str, Any]:
    """Everything about a bundle as JSON values; sizes on disk are those of the files at `path`."""
    return {
        "name": bundle.name,
        "head_digest": bundle.head_digest,
        "classes": list(bundle.classes),
        "codec": bundle.codec.name,
        "sent_bytes_at_most": bundle.codec.max_bytes(bundle.n_sent),
        "exit_rule": _rule(bundle.exit_rule),
        "inner_exits": {one.name: _rule(one.rule) for one in bundle.inner_exits},
        "quantisation": None if bundle.quantisation is None else _quantisation(bundle.quantisation),
        "preprocessing": msgspec.to_builtins(bundle.preprocessing),
        "parts": {
            name: _part(part, part_bytes(path, name), speeds.get(name, {}))
            for name, part in bundle.parts.items()
        },
        "training": bundle.training,
    }


def _rule(rule: ExitRule) -> dict[str, Any]:
    return {
        "criterion": rule.criterion,
        "threshold": rule.threshold,
        "temperature": rule.temperature,
        "watched": rule.profile is not None,
        "evidence": dict(rule.evidence),
    }


def _quantisation(quantisation: Quantisation) -> dict[str, Any]:
    """Of grids only how many values each is for."""
    return {
        "rule": _rule(quantisation.rule),
        "input_grid": quantisation.input is not None,
        "grids": {name: [grid.n_features for grid in grids] for name, grids in quantisation.grids.items()},
        "evidence": dict(quantisation.evidence),
    }


def _part(part: Part, n_bytes: int, speeds: Mapping[int, JunctionSpeed]) -> dict[str, Any]:
    return {
        "layers": [_layer(layer) | _speed(speeds.get(i)) for i, layer in enumerate(part.layers)],
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


def _speed(speed: JunctionSpeed | None) -> dict[str, Any]:
    if speed is None:
        return {}
    return {"speed": asdict(speed) | {"dense_is_faster": speed.dense_is_faster}}


def _print(content: dict[str, Any]) -> None:
    print_wide(_layer_table(content["parts"]))
    for name, value in _facts(content).items():
        print_line(f"{name:<14} {value}")
    for line in _where_dense_is_faster(content["parts"]):
        print_line(line)


def _where_dense_is_faster(parts: dict[str, Any]) -> Iterator[str]:
    """One sentence for each sparse junction that a dense layer would outrun."""
    for name, part in parts.items():
        for number, layer in enumerate(_junctions(part), start=1):
            speed, density = layer.get("speed"), layer["density"]
            if speed and speed["dense_is_faster"] and layer["kind"] == "sparse":
                yield (
                    f"{name} layer {number}: a dense layer would be {1 / speed['over_dense']:.1f} times as"
                    f" fast here at batch {speed['batch']} (density {density:.2g}); use out-degree full, at"
                    f" {1 / density:,.1f} times the weights"
                )


def _junctions(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [layer for layer in part["layers"] if layer["kind"] != "relu"]


def _layer_table(parts: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for title in ("part", "layer"):
        table.add_column(title, no_wrap=True)
    for title in ("in → out", "out-degree", "in-degree", "block", "density", "params", "MACs", "bytes"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("ours µs", "dense µs", "over dense") if _any_speed(parts) else ():
        table.add_column(title, justify="right", no_wrap=True)
    for name, part in parts.items():
        junctions = _junctions(part)
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
                "",
                *_speed_cells(layer.get("speed")),
            )
        totals = (f"{part[key]:,}" for key in ("parameters", "macs", "bytes"))
        table.add_row("", "in all", "", "", "", "", "", *totals, style="bold", end_section=True)
    return table


def _speed_cells(speed: dict[str, Any] | None) -> tuple[str, ...]:
    """Our time, the dense peer's and the ratio; empty where it was not measured."""
    if speed is None:
        return ()
    if speed["dense_s"] is None:
        return f"{speed['ours_s'] * 1e6:,.1f}", "", ""
    return f"{speed['ours_s'] * 1e6:,.1f}", f"{speed['dense_s'] * 1e6:,.1f}", f"{speed['over_dense']:.2f}"


def _any_speed(parts: dict[str, Any]) -> dict[str, Any] | None:
    """One of the measurements, for what all of them share; None where nothing was measured."""
    layers = (layer for part in parts.values() for layer in part["layers"])
    return next((layer["speed"] for layer in layers if "speed" in layer), None)


def _speed_fact(speed: dict[str, Any]) -> dict[str, str]:
    n = speed["dense_threads"]
    threads = "as many threads as its BLAS takes" if n is None else f"{n} thread{'s' * (n > 1)}"
    return {"speed": f"here, at batch {speed['batch']}, on 1 thread; dense is NumPy's matmul on {threads}"}


def _facts(content: dict[str, Any]) -> dict[str, str]:
    """Everything that is no layer."""
    rule = content["exit_rule"]
    training = {key: value for key, value in content["training"].items() if key != "history"}
    speed = _any_speed(content["parts"])
    digests = {f"{name} digest": part["digest"] for name, part in content["parts"].items() if name != "head"}
    return {
        "name": content["name"],
        "classes": f"{len(content['classes'])}: {_listed(content['classes'])}",
        "codec": f"{content['codec']}, at most {content['sent_bytes_at_most']:,} bytes a sample",
        "exit rule": _rule_words(rule),
        **{name: _rule_words(inner) for name, inner in content["inner_exits"].items()},
        "guarantee": str(rule["evidence"].get("guarantee", "none")),
        "evidence": _pairs({key: value for key, value in rule["evidence"].items() if key != "guarantee"}),
        **_integer_facts(content["quantisation"]),
        "preprocessing": _pairs(content["preprocessing"]),
        "training": _pairs(training),
        "head digest": content["head_digest"],
        **digests,
        **(_speed_fact(speed) if speed else {}),
    }


def _integer_facts(quantisation: dict[str, Any] | None) -> dict[str, str]:
    if quantisation is None:
        return {"in integers": "not quantised"}
    rule = quantisation["rule"]
    grids = {name: widths for name, widths in quantisation["grids"].items() if widths}
    of = "the inputs, " * quantisation["input_grid"] + _pairs(grids)
    return {
        "in integers": f"{_rule_words(rule)}; {rule['evidence'].get('guarantee', 'no guarantee')}",
        "grids": f"{of}, fitted to {_pairs(quantisation['evidence'])}",
    }


def _rule_words(rule: dict[str, Any]) -> str:
    words = f"{rule['criterion']} at least {rule['threshold']:.6g}, temperature {rule['temperature']:.4g}"
    return words + (", watched for drift" if rule["watched"] else "")


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
