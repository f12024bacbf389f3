"""A bundle's models, computed by several Ray actors at once and by another one where an actor dies."""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Self

from offramp.bundle import Bundle
from offramp.errors import ConfigError, PeerError
from offramp.runtime.models import Model, models_of
from offramp.runtime.network import FloatArray
from offramp.runtime.ray_tails.actor import TailActor, digests_of, files_of
from offramp.runtime.ray_tails.cluster import cluster, pinned

logger = logging.getLogger(__name__)

_DEATHS = 5  # of actors that one batch may cause: it might be the batch that kills them
_START_S = 300.0  # a cluster may have to start a machine first


class RayTails:
    """Actors that compute what a bundle's models are asked; a context manager.

    Each actor holds the whole bundle, and computes one batch at a time. Where one dies, by itself or with its
    machine, Ray starts it anew, and its batch is computed by another: the same rows have the same scores.
    An actor demands `threads` CPUs of Ray, whose autoscaler may start machines for it.

    Args:
        bundle: with its tail. Every actor has it from Ray's object store, where it is put once.
        n_actors: at least 1.
        threads: for each actor's kernels.
        address: of the Ray cluster, host:port or "auto"; None starts one on this machine, on loopback only.

    Raises:
        ConfigError: a setting outside its range, or no tail.
    """

    def __init__(
        self, bundle: Bundle, *, n_actors: int = 2, threads: int = 1, address: str | None = None
    ) -> None:
        if n_actors < 1:
            raise ConfigError(f"n_actors={n_actors}; use at least 1")
        self._bundle = bundle
        self._n_actors = n_actors
        self._threads = threads
        self._address = address
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._digests = digests_of(bundle)
        self._losing = threading.Lock()
        self._n_lost = 0
        self._last_loss = ""
        self._running = ExitStack()
        self._ray: Any = None
        self.models: tuple[Model, ...] = tuple(
            replace(model, compute=partial(self._compute, model.name), at_once=n_actors)
            for model in models_of(bundle, threads=threads)
        )

    def __enter__(self) -> Self:
        """Starts the actors, and waits for the first one; the others join when they are there.

        Raises:
            MissingDependencyError: Ray is not installed.
            PeerError: no cluster, or no actor that can compute.
        """
        files = files_of(self._bundle)
        size = sum(map(len, files.values()))
        n_cpus = self._n_actors * self._threads
        with ExitStack() as starting:
            self._ray = starting.enter_context(cluster(self._address, n_cpus=n_cpus, stored_bytes=size))
            made = self._ray.remote(num_cpus=self._threads, max_restarts=-1)(TailActor)
            stored = pinned(self._ray, files)
            for _ in range(self._n_actors):
                self._enlist(made.remote(stored, self._threads))
            self._free.put(self._next_free(_START_S))
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _compute(self, model: str, rows: FloatArray) -> Any:
        errors = self._ray.exceptions
        for _ in range(_DEATHS):
            actor = self._next_free()
            try:
                scores = self._ray.get(actor.compute.remote(model, rows))
            except errors.RayTaskError:  # the model raised, and the actor lives
                self._free.put(actor)
                raise
            except errors.RayError as error:
                logger.warning("an actor on Ray was lost with its batch: %s", _line(error))
                self._enlist(actor)
            else:
                self._free.put(actor)
                return scores
        raise PeerError(f"{_DEATHS} actors were lost with rows of shape {rows.shape}")

    def _next_free(self, timeout_s: float | None = None) -> Any:
        try:
            actor = self._free.get(timeout=timeout_s)
        except queue.Empty:
            raise PeerError(
                f"no actor on Ray within {timeout_s:g} s; give the cluster {self._threads} CPUs for each"
            ) from None
        if actor is None:
            self._free.put(None)  # for the other threads
            raise PeerError(f"no actor is left on Ray; the last one: {self._last_loss}")
        return actor

    def _enlist(self, actor: Any) -> None:
        """Gives it batches once it lives, again or for the first time, and has loaded what we have."""
        loaded = actor.loaded.options(max_task_retries=-1).remote()  # Ray asks each of its lives
        loaded.future().add_done_callback(partial(self._judge, actor))

    def _judge(self, actor: Any, loaded: Future[dict[str, str]]) -> None:
        error = loaded.exception()
        if error is None and loaded.result() == self._digests:
            self._free.put(actor)
            return
        self._last_loss = "it has loaded other parts than were sent" if error is None else _line(error)
        logger.error("an actor on Ray is lost for good: %s", self._last_loss)
        with self._losing:
            self._n_lost += 1
            if self._n_lost == self._n_actors:
                self._free.put(None)


def _line(error: BaseException) -> str:
    """What Ray says at the end, after all of the traceback that it quotes."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)
