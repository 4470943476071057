"""A router of Python values, for tests of everything above it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from uuid import UUID

from senryu.core import limits
from senryu.core.object_store import check_bucket
from senryu.core.route import RequestLine, Route, Router, check_certificate_host, check_challenge
from senryu.routers.pem import bundle


class MemoryRouter(Router):
    """Remembers routes. Tests say what happened: `take` a finished request, set `active` requests of a dyno."""

    def __init__(self) -> None:
        self.active: dict[UUID, int] = {}
        self._routes: dict[UUID, Route] = {}
        self._lines: list[RequestLine] = []
        self._arrived = asyncio.Condition()
        self._certificates: dict[str, str] = {}
        self.challenges: frozenset[str] = frozenset()
        self.rooms: dict[str, int] = {}
        self.quiet: dict[UUID, float] = {}
        self._waiting: asyncio.Queue[UUID] = asyncio.Queue()

    async def apply(self, route: Route) -> None:
        for app_id, other in self._routes.items():  # a host leads to one app: the last one that asked for it
            kept = tuple(host for host in other.hosts if host not in route.hosts)
            if app_id != route.app_id and kept != other.hosts:
                self._routes[app_id] = replace(other, hosts=kept)
        self._routes[route.app_id] = replace(route, hosts=tuple(sorted(route.hosts)))

    async def remove(self, app_id: UUID) -> None:
        self._routes.pop(app_id, None)

    async def routes(self) -> list[Route]:
        return list(self._routes.values())

    async def active_requests(self, dyno_id: UUID) -> int:
        return self.active.get(dyno_id, 0)

    def ask_for(self, app_id: UUID) -> None:
        """Somebody asks for an app that sleeps."""
        self._waiting.put_nowait(app_id)

    async def waiting(self) -> AsyncIterator[UUID]:
        while True:
            yield await self._waiting.get()

    async def quiet_s(self) -> Mapping[UUID, float]:
        return {app_id: self.quiet.get(app_id, 0.0) for app_id in self._routes}

    async def requests(self, after: int) -> AsyncIterator[list[RequestLine]]:
        while True:
            batch = [line for line in self._lines if line.position > after]
            if batch:
                after = batch[-1].position
                yield batch
                continue
            async with self._arrived:
                try:
                    async with asyncio.timeout(limits.ROUTER_TIMEOUT_S):
                        await self._arrived.wait()
                except TimeoutError:
                    continue

    async def put_certificate(self, host: str, pem: str) -> None:
        check_certificate_host(host)
        self._certificates[host] = bundle(pem, host).fingerprint

    async def remove_certificate(self, host: str) -> None:
        self._certificates.pop(host, None)

    async def certificates(self) -> Mapping[str, str]:
        return dict(self._certificates)

    async def set_challenges(self, paths: Collection[str]) -> None:
        for path in paths:
            check_challenge(path)
        self.challenges = frozenset(paths)

    async def set_rooms(self, rooms: Mapping[str, int]) -> None:
        for bucket in rooms:
            check_bucket(bucket)
        self.rooms = dict(rooms)

    async def take(self, line: RequestLine) -> None:
        """A request has finished."""
        async with self._arrived:
            self._lines.append(line)
            self._arrived.notify_all()


_: type[Router] = MemoryRouter
