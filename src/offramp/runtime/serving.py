"""A tail server as a process: bundles in, signals heard, requests finished before the end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from functools import partial

from offramp.bundle import Bundle
from offramp.errors import ConfigError
from offramp.runtime.fleet import Fleet
from offramp.runtime.metrics import Metrics
from offramp.runtime.models import Compute, Model, models_of
from offramp.runtime.passage import Observer
from offramp.runtime.releases import BundleFolder, follow
from offramp.runtime.security import ServerSecurity
from offramp.runtime.tail import TailServer
from offramp.runtime.tail_settings import TailSettings

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(
    *bundles: Bundle | str | os.PathLike[str],
    models: Iterable[Model] = (),
    tail: Compute | None = None,
    threads: int = 1,
    settings: TailSettings | None = None,
    security: ServerSecurity | None = None,
    metrics: Metrics | None = None,
    fleet: Fleet | None = None,
    observers: Iterable[Observer] = (),
    reload_s: float | None = 1.0,
    notice_s: float = 0.0,
    drain_s: float = 10.0,
    on_ready: Callable[[TailServer], None] = lambda server: None,
) -> None:
    """Serves bundles until SIGTERM or SIGINT, then finishes the requests in flight and returns.

    To be called in the main thread, where signals arrive. A second signal ends the process at once.

    Args:
        bundles: with their tails; with the head too, raw samples are answered as well. Those of one name are
            its versions 1, 2 and so on.
        models: more to answer for, beside those of the bundles.
        tail: any callable on arrays (Torch, ONNX) in place of the tail of the one bundle: features
            (batch, n_features) float32 -> scores (batch, n_classes). It is called in one thread at a time.
        reload_s: how often to look whether another bundle lies at a path; None for never.
        notice_s, drain_s: see `TailServer.stop`.
        on_ready: called with the server once requests are answered.
        threads, settings, security, metrics, fleet, observers: see `models_of` and `TailServer`.

    Raises:
        BundleError: a path without a bundle that can be read.
        ConfigError: a setting outside its range, no tail, or an address that cannot be had.
    """
    given = tuple(models)
    if not (bundles or given) or (tail is not None and len(bundles) > 1):
        raise ConfigError(f"{len(bundles)} bundles to serve; give one or more, and with tail= just one")
    for name, seconds in (("notice_s", notice_s), ("drain_s", drain_s)):
        if not 0 <= seconds < 3600:
            raise ConfigError(f"{name}={seconds}; use a number of seconds from 0 on, below 3600")
    if reload_s is not None and not reload_s > 0:
        raise ConfigError(f"reload_s={reload_s}; use a number of seconds above 0, or None")
    server = TailServer(
        given, settings=settings, security=security, metrics=metrics, fleet=fleet, observers=observers
    )
    folders = []
    for bundle in bundles:
        if isinstance(bundle, Bundle):
            server.add(models_of(bundle, tail=tail, threads=threads))
        else:
            folders.append(BundleFolder(bundle, partial(models_of, tail=tail, threads=threads)))
            server.add(folders[-1].models, source=folders[-1])

    def publish(models: tuple[Model, ...], folder: BundleFolder) -> dict[str, str]:
        return server.add(models, source=folder)

    async def run() -> None:
        told_to_stop = _signals()
        await server.start()
        if reload_s is not None:
            following = asyncio.create_task(follow(folders, publish, every_s=reload_s))
        try:
            on_ready(server)
            await told_to_stop.wait()
        finally:
            if reload_s is not None:
                following.cancel()
            await server.stop(drain_s, notice_s=notice_s)

    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(run())


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """That of uvloop, which answers more requests a second, where it is installed; None for asyncio's own."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def _signals() -> asyncio.Event:
    """Set by the first signal; the second finds the system's own handler, which ends the process."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()

    def hear() -> None:
        told.set()
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    for number in _SIGNALS:
        loop.add_signal_handler(number, hear)
    return told
