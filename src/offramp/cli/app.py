"""The commands of offramp, put together."""

from typing import Annotated

import typer

import offramp
from offramp.cli.calibrate import calibrate
from offramp.cli.certify import certify
from offramp.cli.compare import compare
from offramp.cli.console import out
from offramp.cli.demo import demo
from offramp.cli.evaluate import evaluate
from offramp.cli.export import export
from offramp.cli.gateway import gateway
from offramp.cli.inspect import inspect
from offramp.cli.link import link
from offramp.cli.payload import payload
from offramp.cli.quantise import quantise
from offramp.cli.reproduce import reproduce
from offramp.cli.run import run
from offramp.cli.search import search
from offramp.cli.search_evidence import search_evidence
from offramp.cli.serve import serve
from offramp.cli.train import train
from offramp.cli.verify import verify

app = typer.Typer(
    name="offramp",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # offramp.cli.entry has its own way with errors
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo,
    train,
    calibrate,
    quantise,
    evaluate,
    inspect,
    serve,
    run,
    gateway,
    link,
    reproduce,
    certify,
    compare,
    search,
    search_evidence,
    payload,
    verify,
):
    app.command()(command)
app.add_typer(export, name="export")


def show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"offramp {offramp.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def offramp_(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show an error's traceback; before or after the command.")
    ] = False,
) -> None:
    """Train sparse, split anywhere, exit early.

    A network is cut in two: the head runs on the device, the tail on a server. An exit at
    the cut answers where it is sure; then nothing crosses the network.

    [bold]Begin with[/bold]

      offramp demo
      offramp train -o digits.bundle
      offramp inspect digits.bundle
      offramp serve digits.bundle --port 8001
      offramp run digits.bundle --tail localhost:8001 --data digits
    """
