"""The edge with two answers under asyncio."""

import asyncio
import dataclasses

import pytest

from offramp.exits import NEVER, ExitRule
from offramp.runtime.refining import AsyncRefiningEdge

SETTLE_S = 20.0


@pytest.fixture
def asking(bundle):
    return dataclasses.replace(bundle, exit_rule=ExitRule(NEVER))


def test_both_answers_are_awaited(asking, host, workshop):
    async def main():
        async with AsyncRefiningEdge(asking, tail=host(asking)) as edge:
            assert await edge.connect(SETTLE_S)
            answer = await edge.infer(workshop.samples(1)[0], id="a")
            more = await edge.infer_many(workshop.samples(3)[1:], ["b", "c"])
            assert [one.source for one in (answer, *more)] == ["provisional"] * 3
            outcomes = []
            async for outcome in edge.refinements():
                outcomes.append(outcome.id)
                if len(outcomes) == 3:
                    break
            assert await edge.settle(SETTLE_S)
            return outcomes

    assert asyncio.run(main()) == ["a", "b", "c"]


def test_a_reader_ends_with_the_edge_and_one_that_is_cancelled_loses_nothing(asking, host, workshop):
    async def read(edge, into):
        async for outcome in edge.refinements():
            into.append(outcome.id)

    async def main():
        first, second = [], []
        edge = AsyncRefiningEdge(asking, tail=host(asking))
        reader = asyncio.create_task(read(edge, first))
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await edge.infer_many(workshop.samples(2), ["a", "b"])
        reader = asyncio.create_task(read(edge, second))
        async with asyncio.timeout(SETTLE_S):
            while len(second) < 2 and not reader.done():
                await asyncio.sleep(0.01)
        await edge.close()
        await asyncio.wait_for(reader, SETTLE_S)
        return first, second

    assert asyncio.run(main()) == ([], ["a", "b"])


def test_the_event_loop_goes_on_while_the_edge_computes(asking, silent, workshop):
    async def main():
        ticks = 0
        async with AsyncRefiningEdge(asking, tail=silent) as edge:
            working = asyncio.create_task(edge.infer_many(workshop.samples(2000)))
            while not working.done():
                await asyncio.sleep(0)
                ticks += 1
            assert len(await working) == 2000
        return ticks

    assert asyncio.run(main()) > 10
