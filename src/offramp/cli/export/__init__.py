"""offramp export: bundles in forms that other programs run. One file per command."""

import typer

from offramp.cli.export.c import c
from offramp.cli.export.onnx import onnx
from offramp.cli.export.repository import repository

export = typer.Typer(help="Write a bundle's parts in forms that other programs run.", rich_markup_mode="rich")
for command in (c, onnx, repository):
    export.command()(command)
