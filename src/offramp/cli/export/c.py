"""offramp export c: the device's side as C for microcontrollers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from offramp.bundle import Bundle, present, read
from offramp.cli.console import note, print_json, print_line
from offramp.cli.footprint import print_footprint
from offramp.cli.judged_data import Source
from offramp.cli.options import (
    BundleFolder,
    DataDir,
    FlashBytes,
    JudgedData,
    Label,
    PreferOption,
    RamBytes,
    Streaming,
    TargetName,
)
from offramp.errors import ConfigError
from offramp.export import check_folder, write_folder
from offramp.export.c import Numbers, Program, chosen_program, files
from offramp.plan.footprint import Footprint, footprint


def c(
    bundle: BundleFolder,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to make; nothing may be there.", show_default=False)
    ],
    numbers: Annotated[
        bool, typer.Option("--int8/--float32", help="Integers, or the floats that were trained.")
    ] = True,
    target: TargetName = "cortex-m4",
    prefer: PreferOption = "size",
    streaming: Streaming = None,
    tail: Annotated[bool, typer.Option("--tail", help="The tail too, in float32.")] = False,
    serial: Annotated[
        bool, typer.Option("--serial", help="The C of a serial line to offramp gateway too.")
    ] = False,
    flash: FlashBytes = None,
    ram: RamBytes = None,
    data: JudgedData = None,
    data_dir: DataDir = None,
    label: Label = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Write head, exit and codec as one C file for microcontrollers: ISO C99, no memory of its own.

    The file is the same for all processors; --target says for which one the cheapest index
    encodings are chosen, and whether it has room. report.json has their prices. A bundle
    that offramp quantise has not seen is quantised for this export only, on the calibration
    split of its data.

    [bold]Examples[/bold]

      offramp export c digits.bundle -o firmware
      offramp export c m8 -o firmware --target atmega328p --streaming
      offramp export c m8 -o firmware --float32 --tail --target cortex-m7
      offramp export c m8 -o firmware --serial
    """
    check_folder(output)
    whole = read(bundle, parts=present(bundle))
    kind: Numbers = "int8" if numbers else "float32"
    if kind == "int8" and whole.quantisation is None:
        whole = _quantised(whole, Source(data, data_dir, label), bundle)
    made = chosen_program(whole, kind, target=target, prefer=prefer, streaming=streaming, tail=tail)
    weighed = footprint(made, target)
    weighed.check_fits(flash_bytes=flash, ram_bytes=ram)
    write_folder(files(made, weighed.to_json(), serial=serial), output)
    if as_json:
        print_json(weighed.to_json() | {"folder": str(output)})
        return
    _tell(made, weighed, output)


def _quantised(whole: Bundle, source: Source, path: Path) -> Bundle:
    """The bundle with a quantisation of now."""
    from offramp.plan.judgement import quantised  # SciPy

    if missing := [name for name in ("head", "exit", "tail") if name not in whole.parts]:
        raise ConfigError(
            f"{path}: not quantised, and without its {' and '.join(missing)} it cannot be; run offramp"
            " quantise where all parts are, or export --float32"
        )
    samples = source.samples(whole, "calibration")
    found = quantised(whole, samples.x, samples.y)
    note(f"quantised on {samples.words}, for this export only: offramp quantise {path} keeps it")
    return replace(whole, quantisation=found.bundle.quantisation)


def _tell(made: Program, weighed: Footprint, output: Path) -> None:
    print_footprint(weighed)
    print_line(f"{output}: {made.prefix}.c and {made.prefix}.h, main.c for an example, report.json")
