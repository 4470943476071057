from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from senryu.routers.haproxy import HAProxyRouter

from .rig import PATIENT, Behaviour, Dyno, Rig, running_haproxy


@pytest.fixture
async def haproxy() -> AsyncIterator[tuple[Rig, HAProxyRouter]]:
    async with running_haproxy() as started:
        yield started


@pytest.fixture
async def patient() -> AsyncIterator[tuple[Rig, HAProxyRouter]]:
    async with running_haproxy(**PATIENT) as started:
        yield started


class Dynos:
    """Starts dynos and stops them after the test."""

    def __init__(self) -> None:
        self.all: list[Dyno] = []

    async def __call__(self, behaviour: Behaviour, name: str = "web.1") -> Dyno:
        dyno = await Dyno(behaviour, name).start()
        self.all.append(dyno)
        return dyno


@pytest.fixture
async def dynos() -> AsyncIterator[Dynos]:
    started = Dynos()
    yield started
    for dyno in started.all:
        dyno.stop()
