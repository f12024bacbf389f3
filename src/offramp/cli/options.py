"""Options that several commands share."""

import re
from pathlib import Path
from typing import Annotated

import typer

from offramp.cli.arguments import finite_or_none
from offramp.export.c import Prefer

Data = Annotated[str, typer.Option("--data", help="digits, mnist, or a file: .npz, .csv or .parquet.")]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where the MNIST files lie, in it or in a folder of it.",
        envvar="OFFRAMP_DATA_DIR",
        show_default="downloaded once",
    ),
]
Label = Annotated[
    str | None, typer.Option(help="Column with the labels of a .csv or .parquet file.", show_default=False)
]
MAX_THREADS = 1024  # more is a slip of the finger
MAX_SEEDS = 1000  # likewise
MAX_DEADLINE_S = 3599.0
Threads = Annotated[int, typer.Option(min=1, max=MAX_THREADS, help="Threads of the kernels.")]
BundleFolder = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="The folder that offramp train wrote.", show_default=False)
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="Bearer tokens, one a line: the server takes any of them, the device sends the first.",
        show_default=False,
    ),
]
Ca = Annotated[
    Path | None,
    typer.Option(help="Authority (PEM) of the server's certificate, for TLS.", show_default=False),
]
Cert = Annotated[
    Path | None,
    typer.Option(
        help="The device's own certificate (PEM), for a server that asks for one.", show_default=False
    ),
]
Key = Annotated[Path | None, typer.Option(help="The private key of --cert (PEM).", show_default=False)]
ResultsFolder = Annotated[
    Path, typer.Option("--output", "-o", help="Folder for results and for what is still to be finished.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_THREADS, help="Processes that train at once.", show_default="one per core"),
]
ResultsPage = Annotated[
    Path | None,
    typer.Option(help="Write a page here too, with its figures and a .csv beside it.", show_default=False),
]
TeacherBundle = Annotated[
    Path | None,
    typer.Option(
        metavar="BUNDLE",
        help="A network trained on the same data with the same --seed, as teacher.",
        show_default="a dense one with layers of 512 and 256, trained first: 25 s for MNIST",
    ),
]
JudgedData = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Labelled samples: a .npz, .csv or .parquet file, all of it; of the file that the bundle was"
        " trained on, the split that the training has not seen.",
        show_default="the data set that the bundle was trained on, if that is digits or mnist",
    ),
]
HedgeAfter = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        callback=finite_or_none,
        help="Without an answer for so long, send the request over a second connection too.",
        show_default="never",
    ),
]
Page = Annotated[
    Path | None, typer.Option("--html", help="Write a page with pictures here too.", show_default=False)
]


def n_bytes(text: str) -> int:
    """16384, 16K or 1M as a number of bytes."""
    found = re.fullmatch(r"(\d{1,9})([KM]?)", text.strip().upper())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no number of bytes; write 16384, 16K or 1M")
    return int(found[1]) * {"": 1, "K": 1024, "M": 1024**2}[found[2]]


TargetName = Annotated[
    str, typer.Option("--target", metavar="NAME", help="The processor, such as cortex-m0 or atmega328p.")
]
PreferOption = Annotated[Prefer, typer.Option("--prefer", help="Whether flash or time decides.")]
Streaming = Annotated[
    bool | None,
    typer.Option(
        "--streaming/--no-streaming",
        help="Take a sample value by value, without a buffer for it.",
        show_default="what costs less",
    ),
]
FlashBytes = Annotated[
    int | None,
    typer.Option(
        "--flash",
        parser=n_bytes,
        metavar="BYTES",
        help="Flash of the chip: 16384, 16K, 1M.",
        show_default="of a typical chip",
    ),
]
RamBytes = Annotated[
    int | None,
    typer.Option(
        "--ram", parser=n_bytes, metavar="BYTES", help="RAM of the chip.", show_default="of a typical chip"
    ),
]
