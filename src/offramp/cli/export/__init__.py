"""offramp export: bundles in forms that other programs run. One file per command."""

import typer

from offramp.cli.export.repository import repository

export = typer.Typer(help="Write a bundle's parts in forms that other programs run.", rich_markup_mode="rich")
for command in (repository,):
    export.command()(command)


@export.callback()
def export_() -> None:
    """Keeps `repository` a command of its own while there is no other."""
