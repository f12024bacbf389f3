"""What a server answers for: models, each in one version or several."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import grpc

from offramp import wire
from offramp.runtime.batching import Batcher
from offramp.runtime.metering import Meter, Tally
from offramp.runtime.models import Model
from offramp.runtime.refusals import RefusalError

KEPT = 2  # releases of one source: the newest, and the one before for devices that still have its head


@dataclass(frozen=True, eq=False)
class Served:
    """A version of a model, what computes it, and what its requests came to."""

    model: Model
    version: str
    batcher: Batcher
    tally: Tally


class Catalog:
    """Models by name, the newest version of each first. For the thread of the event loop only.

    Args:
        meter: has a tally for each version while it is here.
        max_batch, max_wait_s: see `Batcher`.
    """

    def __init__(self, meter: Meter, *, max_batch: int, max_wait_s: float) -> None:
        self._meter = meter
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._versions: dict[str, list[Served]] = {}
        self._numbers: dict[str, int] = {}  # bundle name -> its newest version; none is given twice
        self._releases: dict[Hashable, list[list[Served]]] = {}  # by source, the newest first
        self._locks: dict[Hashable, threading.Lock] = {}
        self._leaving: set[Served] = set()

    def __contains__(self, name: object) -> bool:
        return name in self._versions

    def __iter__(self) -> Iterator[Served]:
        return iter([served for versions in self._versions.values() for served in versions])

    def add(self, models: Iterable[Model], *, source: Hashable = None) -> dict[str, str]:
        """Answers for these too, as the next version of their bundle, and tells the version of each by name.

        A name that comes again is of the version after that. What the same source gave before is let go where
        these take its place (same name, head and codec), and all of it with the second release after it. What
        is let go finishes the requests that it has.

        Args:
            source: None for models that stay.
        """
        # The models of a source may share a callable that was not made for threads.
        lock = threading.Lock() if source is None else self._locks.setdefault(source, threading.Lock())
        release = [self._opened(model, version, lock) for model, version in self._numbered(models)]
        for served in release:
            self._versions.setdefault(served.model.name, []).insert(0, served)
        if source is not None:
            self._supersede(source, release)
        return {served.model.name: served.version for served in release}

    def find(self, name: str, version: str = "") -> Served:
        """This version of a model, or the newest.

        Raises:
            RefusalError: there is none.
        """
        return self._candidates(name, version)[0]

    def find_for(self, request: wire.InferRequest) -> Served:
        """The version that a request asks for, or else the newest that understands what made its features.

        Raises:
            RefusalError: there is none.
        """
        candidates = self._candidates(request.model_name, request.model_version)
        given = request.parameters
        if "head_digest" in given:
            candidates = _of_head(given["head_digest"], candidates)
        coding = (given.get("codec"), given.get("codec_digest", ""))
        return next((one for one in candidates if one.model.understands[1:] == coding), candidates[0])

    def metadata(self, name: str, version: str) -> wire.ModelMetadata:
        """What a version reads and writes, beside all versions that there are.

        Raises:
            RefusalError: there is none.
        """
        served = self.find(name, version)
        versions = tuple(one.version for one in reversed(self._versions[name]))
        return replace(served.model.metadata, versions=versions)

    @contextmanager
    def used(self, served: Served) -> Iterator[None]:
        """Keeps a version that is let go until the request has its answer."""
        served.tally.in_flight += 1
        try:
            yield
        finally:
            served.tally.in_flight -= 1
            if served in self._leaving:
                self._close_if_unused(served)

    def close(self) -> None:
        """Ends the threads once what they have is computed, or leaves them behind. Blocks, in any thread."""
        batchers = [served.batcher for served in self]
        for batcher in batchers:
            batcher.close(timeout_s=0.0)
        for batcher in batchers:  # all are told before any is waited for
            batcher.close()

    def _numbered(self, models: Iterable[Model]) -> Iterator[tuple[Model, str]]:
        named: dict[str, set[str]] = {}  # bundle name -> models in its newest version
        for model in models:
            if model.name in named.get(model.bundle, {model.name}):
                self._numbers[model.bundle] = self._numbers.get(model.bundle, 0) + 1
                named[model.bundle] = set()
            named[model.bundle].add(model.name)
            yield model, str(self._numbers[model.bundle])

    def _opened(self, model: Model, version: str, lock: threading.Lock) -> Served:
        tally = self._meter.open(model.name, version)
        batcher = Batcher(
            model.compute,
            n_outputs=model.n_classes,
            max_batch=self._max_batch,
            max_wait_s=self._max_wait_s,
            at_once=model.at_once,
            lock=lock if model.at_once == 1 else None,
            on_computed=tally.computed,
        )
        return Served(model, version, batcher, tally)

    def _supersede(self, source: Hashable, release: list[Served]) -> None:
        places = {(served.model.name, served.model.understands) for served in release}
        kept = [release]
        for old in self._releases.get(source, []):
            staying = [one for one in old if (one.model.name, one.model.understands) not in places]
            if staying and len(kept) < KEPT:
                kept.append(staying)
            else:
                staying = []
            for served in old:
                if served not in staying:
                    self._let_go(served)
        self._releases[source] = kept

    def _let_go(self, served: Served) -> None:
        versions = self._versions[served.model.name]
        versions.remove(served)
        if not versions:
            del self._versions[served.model.name]
        self._leaving.add(served)
        self._close_if_unused(served)

    def _close_if_unused(self, served: Served) -> None:
        if served.tally.in_flight == 0:
            self._leaving.remove(served)
            self._meter.close(served.tally)
            served.batcher.close(timeout_s=0.0)

    def _candidates(self, name: str, version: str) -> list[Served]:
        versions = self._versions.get(name)
        if versions is None:
            known = ", ".join(repr(known) for known in self._versions) or "none"
            raise RefusalError(grpc.StatusCode.NOT_FOUND, f"no model {name!r} here; there is {known}")
        found = [served for served in versions if version in ("", served.version)]
        if not found:
            numbers = ", ".join(repr(served.version) for served in versions)
            raise RefusalError(
                grpc.StatusCode.NOT_FOUND,
                f"model {name!r} has no version {version!r}; ask for {numbers} or none",
            )
        return found


def _of_head(digest: wire.Parameter, candidates: list[Served]) -> list[Served]:
    found = [served for served in candidates if served.model.head_digest == digest]
    if not found:
        known = " and ".join(dict.fromkeys(repr(one.model.head_digest[:12]) for one in candidates))
        raise RefusalError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"features of head {str(digest)[:12]!r}; this tail understands head {known},"
            " deploy both from one bundle",
        )
    return found
