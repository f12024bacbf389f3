"""The edge with two answers, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.runtime.answer import Answer
from offramp.runtime.refining.edge import RefiningEdge
from offramp.runtime.refining.refined import Refined

_T = TypeVar("_T")

_LOOK_EVERY_S = 0.25  # how soon a reader that was cancelled lets go


class AsyncRefiningEdge:
    """A `RefiningEdge` whose calls are awaited; an async context manager.

    Computing and the journal's disk are waited for in threads of its own, so the event loop goes on.

    Args:
        bundle, settings: as `RefiningEdge` takes them, but for `on_refined`: use `refinements`.

    Raises:
        ConfigError: as `RefiningEdge`.
    """

    def __init__(self, bundle: Bundle, **settings: Any) -> None:
        self._edge = RefiningEdge(bundle, **settings)
        # One for answers, which the journal takes one after the other anyway, and one for who reads outcomes.
        self._answering = ThreadPoolExecutor(1, thread_name_prefix="offramp-edge")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="offramp-refinements")

    @property
    def edge(self) -> RefiningEdge:
        """The edge itself, for what does not wait."""
        return self._edge

    async def connect(self, timeout_s: float = 5.0) -> bool:
        """As `RefiningEdge.connect`."""
        return await self._in(self._answering, self._edge.connect, timeout_s)

    async def infer(self, sample: npt.ArrayLike, id: str | None = None) -> Answer:
        """As `RefiningEdge.infer`."""
        return await self._in(self._answering, self._edge.infer, sample, id)

    async def infer_many(self, samples: npt.ArrayLike, ids: Sequence[str] | None = None) -> list[Answer]:
        """As `RefiningEdge.infer_many`."""
        return await self._in(self._answering, self._edge.infer_many, samples, ids)

    async def refinements(self) -> AsyncIterator[Refined]:
        """As `RefiningEdge.refinements`, until the edge is closed."""
        while not self._edge.closed:
            outcomes = self._edge.refinements(timeout_s=_LOOK_EVERY_S)
            while (outcome := await self._in(self._reading, next, outcomes, None)) is not None:
                yield outcome

    async def settle(self, timeout_s: float) -> bool:
        """As `RefiningEdge.settle`."""
        return await asyncio.to_thread(self._edge.settle, timeout_s)

    async def close(self) -> None:
        """As `RefiningEdge.close`."""
        await asyncio.to_thread(self._edge.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, call: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *args)
