"""offramp serve: the tail of a bundle, on a server."""

from typing import Annotated

import typer

from offramp.bundle import Bundle, check_exits, present, read
from offramp.cli.console import print_json_line, print_line
from offramp.cli.options import BundleFolder, Threads
from offramp.errors import ConfigError
from offramp.runtime import serve as serve_bundle


def serve(
    bundle: BundleFolder,
    host: Annotated[
        str, typer.Option(help="Address to listen on. No encryption: keep to a network you trust.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 8001,
    threads: Threads = 1,
    max_batch: Annotated[int, typer.Option(min=1, help="Samples computed together at most.")] = 256,
    max_wait_s: Annotated[
        float, typer.Option(min=0, max=1, help="How long a sample may wait for others to be computed with.")
    ] = 0.002,
    as_json: Annotated[bool, typer.Option("--json", help="Announce the server as one line of JSON.")] = False,
) -> None:
    """Serve a bundle's tail until Ctrl-C or SIGTERM; requests in flight are still answered.

    Speaks the Open Inference Protocol v2 over gRPC. Model NAME.tail takes features, model
    NAME raw samples, which needs the head's file too.

    [bold]Examples[/bold]

      offramp serve digits.bundle
      offramp serve digits.bundle --host 0.0.0.0 --port 8001 --threads 4
    """
    parts = present(bundle)
    if "tail" not in parts:
        raise ConfigError(f"{bundle}: no tail to serve; copy tail.safetensors into it")
    check_exits(bundle, "tail")
    content = read(bundle, parts=parts)
    serve_bundle(
        content,
        host=host,
        port=port,
        threads=threads,
        max_batch=max_batch,
        max_wait_s=max_wait_s,
        on_ready=lambda bound: _announce(content, host, bound, as_json),
    )


def _announce(bundle: Bundle, host: str, port: int, as_json: bool) -> None:
    models = [f"{bundle.name}.tail", bundle.name] if bundle.head is not None else [f"{bundle.name}.tail"]
    if as_json:
        print_json_line({"host": host, "port": port, "models": models})
    else:
        print_line(f"serving {' and '.join(models)} on {host}:{port}")
