"""The Router contract, on every implementation."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from senryu.core.errors import Invalid
from senryu.core.route import RequestLine, Route, RouteMode, Router, RouteTarget
from senryu.routers.memory import MemoryRouter

sys.path.insert(0, str(Path(__file__).parents[1]))
from routers.certificate import certificate
from routers.rig import running_haproxy

DEADLINE_S = 20.0


@dataclass(frozen=True)
class Subject:
    """A router, and a way to make it finish a request for an app's host."""

    router: Router
    visit: Callable[[Route], Awaitable[None]]


def _line(position: int, app_id: UUID) -> RequestLine:
    return RequestLine(
        position, 0, app_id, "GET", "/", "a.localhost", "id", "127.0.0.1", "", -1, -1, 503, 0, "http", "H14", "LR", False
    )  # fmt: skip


@pytest.fixture(params=["memory", pytest.param("haproxy", marks=pytest.mark.system)])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "haproxy":
        async with running_haproxy() as (rig, haproxy):

            async def get(route: Route) -> None:
                await rig.get(route.hosts[0])

            yield Subject(haproxy, get)
        return
    memory = MemoryRouter()
    count = 0

    async def take(route: Route) -> None:
        nonlocal count
        count += 1
        await memory.take(_line(count, route.app_id))

    yield Subject(memory, take)


def _route(*targets: RouteTarget, mode: RouteMode = RouteMode.SERVE, hosts: tuple[str, ...] = ("a.localhost",)) -> Route:
    return Route(uuid4(), "a", hosts, mode, targets)


def _target(name: str = "web.1", port: int = 1) -> RouteTarget:
    return RouteTarget(uuid4(), name, f"127.0.0.1:{port}")


async def test_a_route_that_was_applied_is_the_route_there_is(subject: Subject) -> None:
    route = replace(
        _route(_target("web.1", 1), _target("web.2", 2), hosts=("*.example.com", "a.localhost")),
        error_page_url="https://example.com/e?a=1&b=2",
        maintenance_page_url="http://example.com/m",
    )
    await subject.router.apply(route)
    assert await subject.router.routes() == [route]


async def test_applying_again_changes_nothing(subject: Subject) -> None:
    route = _route(_target())
    await subject.router.apply(route)
    await subject.router.apply(route)
    assert await subject.router.routes() == [route]


async def test_each_part_of_a_route_can_change(subject: Subject) -> None:
    first, second = _target("web.1", 1), _target("web.1", 2)
    route = replace(_route(first), error_page_url="https://example.com/e")
    changes = [
        replace(route, targets=(first, second)),
        replace(route, targets=(replace(first, is_draining=True), second)),
        replace(route, targets=(first, second)),
        replace(route, targets=(second,)),
        replace(route, targets=(), mode=RouteMode.STOPPED),
        replace(route, hosts=("b.localhost", "c.localhost")),
        replace(route, error_page_url="https://example.com/other"),
        replace(route, error_page_url=None),
    ]
    for changed in changes:
        await subject.router.apply(changed)
        [seen] = await subject.router.routes()
        assert replace(seen, targets=()) == replace(changed, targets=())
        assert set(seen.targets) == set(changed.targets)


async def test_every_mode_is_kept(subject: Subject) -> None:
    route = _route()
    for mode in RouteMode:
        await subject.router.apply(replace(route, mode=mode))
        assert [seen.mode for seen in await subject.router.routes()] == [mode]


async def test_a_removed_app_is_gone_and_can_be_removed_again(subject: Subject) -> None:
    gone, kept = _route(_target(), hosts=("gone.localhost",)), _route(hosts=("kept.localhost",))
    await subject.router.apply(gone)
    await subject.router.apply(kept)
    await subject.router.remove(gone.app_id)
    await subject.router.remove(gone.app_id)
    assert await subject.router.routes() == [kept]


async def test_a_host_leads_to_the_app_that_asked_for_it_last(subject: Subject) -> None:
    old, new = _route(hosts=("shop.example.com",)), _route(hosts=("shop.example.com",))
    await subject.router.apply(old)
    await subject.router.apply(new)
    hosts = {route.app_id: route.hosts for route in await subject.router.routes()}
    assert hosts == {old.app_id: (), new.app_id: ("shop.example.com",)}


async def test_a_dyno_that_nobody_knows_has_no_requests(subject: Subject) -> None:
    assert await subject.router.active_requests(uuid4()) == 0


async def test_requests_come_in_order_and_only_those_after_a_position(subject: Subject) -> None:
    route = _route(mode=RouteMode.STOPPED)
    await subject.router.apply(route)
    for _ in range(3):
        await subject.visit(route)
    lines = await _read(subject.router, after=0, count=3, app_id=route.app_id)
    assert [line.position for line in lines] == sorted({line.position for line in lines})
    rest = await _read(subject.router, after=lines[0].position, count=2, app_id=route.app_id)
    assert rest == lines[1:]
    assert {line.code for line in lines} == {"H14"}


async def test_a_reader_gets_requests_that_finish_later(subject: Subject) -> None:
    route = _route(mode=RouteMode.STOPPED)
    await subject.router.apply(route)
    reading = asyncio.create_task(_read(subject.router, after=0, count=1, app_id=route.app_id))
    await asyncio.sleep(0.1)
    await subject.visit(route)
    assert len(await reading) == 1


async def test_certificates_are_known_by_their_host_until_they_are_removed(subject: Subject) -> None:
    router = subject.router
    first, second = certificate("shop.example.com"), certificate("shop.example.com", "another.example.com")
    await router.put_certificate("shop.example.com", first.pem)
    await router.put_certificate("*.example.com", first.pem)
    await router.put_certificate("*.example.com", first.pem)
    assert await router.certificates() == {"shop.example.com": first.fingerprint, "*.example.com": first.fingerprint}
    await router.put_certificate("shop.example.com", second.pem)
    await router.remove_certificate("*.example.com")
    await router.remove_certificate("*.example.com")
    assert await router.certificates() == {"shop.example.com": second.fingerprint}


@pytest.mark.parametrize("bad", ["", "no key", "no certificate", "another's key", "two keys", "torn", "encrypted"])
async def test_a_certificate_that_cannot_be_served_is_refused_and_the_old_one_stays(subject: Subject, bad: str) -> None:
    good = certificate("shop.example.com")
    other = certificate("shop.example.com")
    pems = {
        "": "", "no key": good.chain, "no certificate": good.key, "another's key": good.chain + other.key, "two keys": good.pem + other.key,
        "torn": good.pem.replace("BEGIN CERTIFICATE-----\n", "BEGIN CERTIFICATE-----\nAAAA"), "encrypted": good.chain + good.encrypted_key,
    }  # fmt: skip
    await subject.router.put_certificate("shop.example.com", good.pem)
    with pytest.raises(Invalid) as caught:
        await subject.router.put_certificate("shop.example.com", pems[bad])
    assert "shop.example.com" in caught.value.message and "PRIVATE" not in caught.value.message
    assert await subject.router.certificates() == {"shop.example.com": good.fingerprint}


@pytest.mark.parametrize("host", ["", "../x", "a b.example.com", "a\nb", "UPPER.example.com", "*.*.example.com"])
async def test_a_certificate_is_for_a_host_name(subject: Subject, host: str) -> None:
    with pytest.raises(Invalid):
        await subject.router.put_certificate(host, certificate("a.example.com").pem)


async def test_challenges_are_a_whole_set_of_acme_paths(subject: Subject) -> None:
    good = "/.well-known/acme-challenge/abc_-123"
    await subject.router.set_challenges([good])
    await subject.router.set_challenges([])
    for bad in ("/", "/.well-known/acme-challenge/", good + "/x", good + "\n", good + " x"):
        with pytest.raises(Invalid):
            await subject.router.set_challenges([good, bad])


async def _read(router: Router, *, after: int, count: int, app_id: UUID) -> list[RequestLine]:
    found: list[RequestLine] = []
    async with asyncio.timeout(DEADLINE_S):
        async for batch in router.requests(after):
            found += [line for line in batch if line.app_id == app_id]
            if len(found) >= count:
                break
    return found
