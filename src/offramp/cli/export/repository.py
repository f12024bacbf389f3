"""offramp export repository: tails as models for other servers."""

from pathlib import Path
from typing import Annotated

import typer

from offramp.bundle import present, read
from offramp.cli.console import print_line
from offramp.errors import ConfigError
from offramp.export import check_folder, write_repository


def repository(
    bundles: Annotated[
        list[Path],
        typer.Argument(metavar="BUNDLE...", help="Folders that offramp train wrote.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to make; nothing may be there.", show_default=False)
    ],
) -> None:
    """Write the tails of bundles as a model repository: ONNX models for Triton, KServe and MLServer.

    Models are named NAME.tail and read plain features, so a device asks them with
    offramp run --plain-features. A README.md in the folder says how to start each server.
    Inner exits of a tail are left out.

    [bold]Examples[/bold]

      offramp export repository digits.bundle -o tails
      offramp serve digits.bundle --tail tails/digits.tail/1/model.onnx
    """
    check_folder(output)
    contents = []
    for path in bundles:
        if "tail" not in (parts := present(path)):
            raise ConfigError(f"{path}: no tail to export; copy tail.safetensors into it")
        contents.append(read(path, parts=parts))
    write_repository(contents, output)
    names = ", ".join(f"{content.name}.tail" for content in contents)
    print_line(f"{output}: {names}; README.md says how to start a server")
