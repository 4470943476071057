from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from senryu.engines.container import ContainerEngine

from .rig import Agent, running_agent


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    """One agent for the tests of a file."""
    with running_agent() as running:
        yield running


@pytest.fixture
async def engine(agent: Agent) -> AsyncIterator[ContainerEngine]:
    """An engine whose dynos are gone after the test."""
    async with ContainerEngine(agent.home) as container:
        yield container
        for dyno in await container.dynos():
            await container.remove(dyno.id)
