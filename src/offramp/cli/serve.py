"""offramp serve: the tail of a bundle, on a server."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from offramp.bundle import Bundle, check_exits, present, read
from offramp.cli.arguments import finite
from offramp.cli.console import note, print_json_line, print_line
from offramp.cli.logs import TEXT, logs_of
from offramp.cli.options import Threads, TokenFile
from offramp.cli.tail_given import given_tail
from offramp.errors import ConfigError
from offramp.runtime import (
    MAX_BYTES_IN_FLIGHT,
    Fleet,
    Metrics,
    Model,
    RayTails,
    ServerSecurity,
    TailServer,
    TailSettings,
)
from offramp.runtime import serve as serve_bundles
from offramp.runtime.models import Compute
from offramp.runtime.passage import Observer
from offramp.runtime.request_log import log_request
from offramp.runtime.tracing import Tracing

LOOK_EVERY_S = 1.0

DASHBOARD_PORT = 8002


def serve(
    bundles: Annotated[
        list[Path],
        typer.Argument(
            metavar="BUNDLE...",
            help="Folders that offramp train wrote; those of one name are its versions 1, 2 and so on.",
            show_default=False,
        ),
    ],
    tail: Annotated[
        str | None,
        typer.Option(
            help="In place of the bundle's tail: FILE.onnx, or package.module:callable, which gets features"
            " (n, n_features) and gives scores (n, n_classes). It has no inner exits, and is not reloaded.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other than loopback needs TLS, or --insecure.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 8001,
    threads: Threads = 1,
    max_batch: Annotated[int, typer.Option(min=1, help="Samples computed together at most.")] = 256,
    max_wait_s: Annotated[
        float, typer.Option(min=0, max=1, help="How long a sample may wait for others to be computed with.")
    ] = 0.002,
    max_bytes_in_flight: Annotated[
        int,
        typer.Option(min=1, help="Memory for requests that are answered at once; who comes then is refused."),
    ] = MAX_BYTES_IN_FLIGHT,
    tls_cert: Annotated[
        Path | None, typer.Option(help="The server's certificate (PEM), for TLS.", show_default=False)
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="The private key of --tls-cert (PEM).", show_default=False)
    ] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(
            help="Let only clients in whose certificate one of these authorities (PEM) has signed.",
            show_default=False,
        ),
    ] = None,
    token_file: TokenFile = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on any address without TLS, in a network you trust.")
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Show counts to Prometheus at this port, under /metrics; 0 takes any free one.",
            show_default=False,
        ),
    ] = None,
    metrics_host: Annotated[
        str,
        typer.Option(
            help="Address of metrics and dashboard, which have no TLS; any other than loopback needs"
            " --insecure."
        ),
    ] = "127.0.0.1",
    reload: Annotated[
        bool,
        typer.Option(
            help="Look every second whether another bundle has taken the place of one, and serve it."
        ),
    ] = True,
    dashboard: Annotated[
        bool,
        typer.Option(
            "--dashboard",
            help="Take the reports of edges and show them on a live page, at --metrics-port or 8002.",
        ),
    ] = False,
    notice_s: Annotated[
        float,
        typer.Option(
            min=0,
            max=3599,
            callback=finite,
            help="When told to stop, say so to health checks for so long before new requests are refused.",
        ),
    ] = 0.0,
    log_format: Annotated[
        str, typer.Option(help="Of the log on standard error: text, or json, a line for each event.")
    ] = TEXT,
    log_level: Annotated[
        str, typer.Option(help="debug (a line for each request), info, warning or error.")
    ] = "info",
    otel: Annotated[
        bool,
        typer.Option(
            "--otel",
            help="Export traces of requests over OTLP; OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of"
            " OpenTelemetry say where to.",
        ),
    ] = False,
    ray: Annotated[
        bool, typer.Option("--ray", help="Compute on several Ray actors (extra ray), each with --threads.")
    ] = False,
    ray_actors: Annotated[
        int | None, typer.Option(min=1, help="With --ray: how many; 2 by default.", show_default=False)
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="With --ray: join the Ray cluster at host:port, or auto; else one starts here, on loopback.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Announce the server as one line of JSON.")] = False,
) -> None:
    """Serve the tails of bundles until Ctrl-C or SIGTERM; requests in flight are still answered.

    Speaks the Open Inference Protocol v2 over gRPC. Model NAME.tail takes features, model
    NAME raw samples, which needs the head's file too. Certificates, tokens and
    bundles are read again when their files change; devices with the head of the bundle
    before are still answered. The health service of gRPC is on the same port; its Check
    needs no token. A second signal ends the server at once.

    [bold]Examples[/bold]

      offramp serve digits.bundle
      offramp serve digits.bundle --port 8001 --threads 4
      offramp serve digits.bundle --metrics-port 8002
      offramp serve digits.bundle letters.bundle
      offramp serve digits.bundle --dashboard
      offramp serve digits.bundle --tail digits.onnx
      offramp serve digits.bundle --log-format json --log-level debug
      offramp serve digits.bundle --ray --ray-actors 4
      offramp serve digits.bundle --host 0.0.0.0 --tls-cert tls.pem --tls-key tls.key
    """
    security = ServerSecurity(tls_cert, tls_key, client_ca, token_file, insecure)
    security.check_host(host)
    fleet = Fleet() if dashboard else None
    if dashboard and metrics_port is None:
        metrics_port = DASHBOARD_PORT
    metrics = (
        None
        if metrics_port is None
        else Metrics(metrics_port, host=metrics_host, insecure=security.insecure, fleet=fleet)
    )
    if not ray and (ray_actors is not None or ray_address is not None):
        raise ConfigError("--ray-actors and --ray-address say how to use Ray; give --ray too")
    if ray and tail is not None:
        raise ConfigError("--ray computes the bundle's own tail; leave out --tail")
    settings = TailSettings(host, port, max_batch, max_wait_s, max_bytes_in_flight=max_bytes_in_flight)
    with logs_of("offramp.runtime", format=log_format, level=log_level), ExitStack() as ending:
        observers: list[Observer] = [log_request]
        if otel:
            observers.append(tracing := Tracing())
            ending.callback(tracing.close)
        sources: Sequence[Bundle | Path] = bundles
        models: Sequence[Model] = ()
        compute: Compute | None = None
        if ray:
            content = _only(bundles, "--ray")
            check_exits(bundles[0], "tail")
            tails = RayTails(content, n_actors=ray_actors or 2, threads=threads, address=ray_address)
            sources, models = (), ending.enter_context(tails).models
        elif tail is not None:
            content = _only(bundles, "--tail")
            sources, compute = (content,), given_tail(tail, content, threads=threads)
        serve_bundles(
            *sources,
            models=models,
            tail=compute,
            threads=threads,
            settings=settings,
            security=security,
            metrics=metrics,
            fleet=fleet,
            observers=observers,
            notice_s=notice_s,
            reload_s=LOOK_EVERY_S if reload else None,
            on_ready=lambda server: _announce(server, host, security, metrics, as_json),
        )


def _only(bundles: Sequence[Path], option: str) -> Bundle:
    """The one bundle there is, as it is now."""
    if len(bundles) != 1:
        raise ConfigError(f"{option} goes with one bundle, and {len(bundles)} are given; give one")
    return read(bundles[0], parts=present(bundles[0]))


def _announce(
    server: TailServer, host: str, security: ServerSecurity, metrics: Metrics | None, as_json: bool
) -> None:
    if as_json:
        shown = {"metrics": metrics.url} if metrics else {}
        if metrics and metrics.dashboard_url:
            shown["dashboard"] = metrics.dashboard_url
        models = {"models": list(server.models), "versions": server.models}
        print_json_line({"host": host, "port": server.port} | models | {"security": security.words} | shown)
    else:
        secured = f" with {security.words}" if security.words else ""
        shown_at = f"; metrics at {metrics.url}" if metrics else ""
        if metrics and metrics.dashboard_url:
            shown_at += f", dashboard at {metrics.dashboard_url}"
        print_line(f"serving {_listed(server.models)} on {host}:{server.port}{secured}{shown_at}")
    if security.exposes(host):
        note(f"--insecure: what {host}:{server.port} gets and answers can be read and altered on its way")


def _listed(models: Mapping[str, Sequence[str]]) -> str:
    words = [
        name if len(versions) == 1 else f"{name} (versions {', '.join(versions)})"
        for name, versions in models.items()
    ]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
