"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[str, typer.Option("--data", help="digits, mnist, or a file: .npz, .csv or .parquet.")]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where the MNIST files lie, in it or in its folder mnist.",
        envvar="OFFRAMP_DATA_DIR",
        show_default="downloaded once",
    ),
]
Label = Annotated[
    str | None, typer.Option(help="Column with the labels of a .csv or .parquet file.", show_default=False)
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the kernels.")]
BundleFolder = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="The folder that offramp train wrote.", show_default=False)
]
