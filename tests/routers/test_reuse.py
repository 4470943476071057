"""Requests that share connections to dynos, whatever dynos do with connections nobody uses: on the real HAProxy."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest

from senryu.routers.haproxy import HAProxyRouter

from .rig import PATIENT, Dyno, Rig, lines_of, raw, route, running_haproxy, until

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class KeepingDyno(Dyno):
    """Keeps connections open, and ends them as a test says: after so many requests, when idle for so long, by FIN or by RST.

    `requests` are (connection, method, path) as they came; `ends_before` requests are read and not answered.
    """

    answers_each: int = 1_000_000
    idle_s: tuple[float, float] = (60.0, 60.0)
    resets: bool = False
    ends_before: int = 0
    connections: int = 0
    requests: list[tuple[int, str, str]] = field(default_factory=list)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number, answered = self.connections, 0
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while answered < self.answers_each:
                async with asyncio.timeout(random.uniform(*self.idle_s) if answered else 60):
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path, _ = head.split(" ", 2)
                length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
                await reader.readexactly(length)
                self.requests.append((number, method, path))
                if self.ends_before:
                    self.ends_before -= 1
                    break
                writer.write(OK if method != "HEAD" else OK[:-2])
                await writer.drain()
                answered += 1
        with contextlib.suppress(OSError):  # ended by the other side already
            if self.resets:
                self._reset(writer)
            writer.close()

    @staticmethod
    def _reset(writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture
async def keeping() -> AsyncIterator[KeepingDyno]:
    dyno = KeepingDyno(raw(b""))
    await dyno.start()
    yield dyno
    dyno.stop()


async def test_reads_share_connections_to_a_dyno_and_others_have_their_own(haproxy: Started, keeping: KeepingDyno) -> None:
    rig, router = haproxy
    await router.apply(app := route(keeping))
    for method in ("GET", "HEAD", "GET", "POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "GET"):
        assert (await rig.get(app.hosts[0], method=method)).status_code == 200
    by_method = {method: {number for number, its, _ in keeping.requests if its == method} for _, method, _ in keeping.requests}
    assert by_method.pop("GET") == by_method.pop("HEAD") == {1}
    assert len(set().union(*by_method.values())) == len(by_method) == 5 and 1 not in set().union(*by_method.values())


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("was_answered_before", [False, True])
async def test_a_read_is_sent_once_more_and_told_as_h13_when_that_fails_too(
    haproxy: Started, keeping: KeepingDyno, resets: bool, was_answered_before: bool
) -> None:
    rig, router = haproxy
    await router.apply(app := route(keeping))
    async with httpx.AsyncClient(trust_env=False, base_url=rig.url, headers={"Host": app.hosts[0]}) as client:
        if was_answered_before:
            assert (await client.get("/before")).status_code == 200
        keeping.resets, keeping.ends_before = resets, 1
        assert (await client.get("/once")).status_code == 200
        keeping.ends_before = 100
        response = await client.get("/never")
    assert response.status_code == 503 and "Application error" in response.text
    assert Counter(path for _, _, path in keeping.requests) == {"/once": 2, "/never": 2} | ({"/before": 1} if was_answered_before else {})
    *_, line = await lines_of(router, app.app_id, count=2 + was_answered_before)
    assert (line.path, line.status, line.code, line.dyno) == ("/never", 503, "H13", "web.1")


@pytest.mark.parametrize("resets", [False, True])
async def test_a_read_whose_dyno_ends_in_that_moment_is_told(haproxy: Started, keeping: KeepingDyno, resets: bool) -> None:
    """HAProxy alone closes a visitor's connection without a word when a second try, after one over a kept connection, is refused."""
    rig, router = haproxy
    await router.apply(app := route(keeping))
    async with httpx.AsyncClient(trust_env=False, base_url=rig.url, headers={"Host": app.hosts[0]}) as client:
        assert (await client.get("/before")).status_code == 200
        keeping.resets, keeping.ends_before = resets, 1
        keeping.stop()
        response = await client.get("/last")
    assert response.status_code == 503 and "Application error" in response.text
    *_, line = await lines_of(router, app.app_id, count=2)
    assert (line.path, line.status, line.code, line.dyno) == ("/last", 503, "H21", "web.1")


@pytest.mark.parametrize("resets", [False, True])
async def test_reads_are_told_when_all_dynos_of_an_app_end_in_one_moment(haproxy: Started, resets: bool) -> None:
    rig, router = haproxy
    dynos = [KeepingDyno(raw(b""), name=f"web.{number}", resets=resets) for number in (1, 2, 3)]
    for dyno in dynos:
        await dyno.start()
    await router.apply(app := route(*dynos))
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(trust_env=False, base_url=rig.url, headers={"Host": app.hosts[0]}))
            for _ in range(12)
        ]
        while not all(dyno.connections for dyno in dynos):
            assert {one.status_code for one in await asyncio.gather(*(client.get("/before") for client in clients))} == {200}
        answered = sum(len(dyno.requests) for dyno in dynos)
        for dyno in dynos:
            dyno.ends_before = 100
            dyno.stop()
        responses = await asyncio.gather(*(client.get("/last") for client in clients))
    assert [response.status_code for response in responses] == [503] * len(clients)
    lines = (await lines_of(router, app.app_id, count=answered + len(clients)))[answered:]
    assert {(line.path, line.status, line.code) for line in lines} == {("/last", 503, "H21")}


async def test_a_read_whose_dyno_ends_is_answered_by_another(haproxy: Started, keeping: KeepingDyno) -> None:
    rig, router = haproxy
    other = await Dyno(raw(OK), name="web.2").start()
    await router.apply(app := route(keeping, other))
    async with httpx.AsyncClient(trust_env=False, base_url=rig.url, headers={"Host": app.hosts[0]}) as client:
        while not keeping.requests:
            assert (await client.get("/before")).status_code == 200
        keeping.ends_before = 1
        keeping.stop()
        seen = [(await client.get("/")).status_code for _ in range(20)]
    other.stop()
    assert not keeping.ends_before and seen == [200] * 20


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("resets", [False, True])
async def test_what_may_change_something_is_never_sent_twice(haproxy: Started, keeping: KeepingDyno, method: str, resets: bool) -> None:
    rig, router = haproxy
    await router.apply(app := route(keeping))
    async with httpx.AsyncClient(trust_env=False, base_url=rig.url, headers={"Host": app.hosts[0]}) as client:
        assert (await client.get("/")).status_code == 200
        keeping.resets, keeping.ends_before = resets, 1
        response = await client.request(method, "/once", content=b"x" if method != "DELETE" else None)
    assert response.status_code == 503 and "Application error" in response.text
    assert [path for _, _, path in keeping.requests] == ["/", "/once"]
    *_, line = await lines_of(router, app.app_id, count=2)
    assert (line.method, line.status, line.code) == (method, 503, "H13")


async def test_a_dyno_that_says_nothing_in_time_is_told_also_to_a_visitor_who_was_answered_before(
    haproxy: Started, keeping: KeepingDyno
) -> None:
    rig, router = haproxy

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        if b"/silent" in head:
            await asyncio.sleep(10)
        writer.write(OK)

    dyno = await Dyno(silent).start()
    await router.apply(app := route(dyno))
    async with httpx.AsyncClient(trust_env=False, base_url=rig.url, headers={"Host": app.hosts[0]}) as client:
        for method in ("GET", "POST"):
            assert (await client.request(method, "/")).status_code == 200
            response = await client.request(method, "/silent")
            assert response.status_code == 503 and "Application error" in response.text
    lines = await lines_of(router, app.app_id, count=4)
    assert [line.code for line in lines] == ["", "H12", "", "H12"]
    assert [head.split(b" ")[1] for head in dyno.heads] == [b"/", b"/silent"] * 2
    dyno.stop()


NASTY = {
    "idle": {"idle_s": (0.01, 0.3)},
    "idle, by RST": {"idle_s": (0.01, 0.3), "resets": True},
    "at once": {"idle_s": (0.0, 0.02)},
    "after some requests": {"answers_each": 7},
    "after some requests, by RST": {"answers_each": 3, "resets": True},
}


@pytest.fixture
async def roomy() -> AsyncIterator[Started]:
    async with running_haproxy(slots=8, **PATIENT) as started:
        yield started


async def test_nothing_is_lost_because_a_dyno_ends_connections_at_nasty_moments(roomy: Started) -> None:
    rig, router = roomy
    dynos = {name: KeepingDyno(raw(b""), name=f"web.{n}", **what) for n, (name, what) in enumerate(NASTY.items(), 1)}  # type: ignore[arg-type]
    for dyno in dynos.values():
        await dyno.start()
    apps = {name: route(dyno) for name, dyno in dynos.items()}
    for app in apps.values():
        await router.apply(app)
    seen: dict[str, Counter[str]] = {name: Counter() for name in apps}

    async def visit(name: str, number: int) -> None:
        """A steady rate with jitter: some requests come just as a connection is being ended."""
        async with httpx.AsyncClient(trust_env=False, base_url=rig.url, headers={"Host": apps[name].hosts[0]}, timeout=20) as client:
            for turn in range(60):
                method = ("GET", "GET", "GET", "POST")[turn % 4]
                try:
                    response = await client.request(method, f"/{number}/{turn}")
                    seen[name][f"{method} {response.status_code}"] += 1
                except httpx.HTTPError as error:
                    seen[name][f"{method} {error!r}"] += 1
                await asyncio.sleep(random.uniform(0, 0.04))

    await asyncio.gather(*(visit(name, number) for name in apps for number in range(4)))
    for dyno in dynos.values():
        dyno.stop()
    assert seen == {name: {"GET 200": 180, "POST 200": 60} for name in apps}
    for name, dyno in dynos.items():
        posts = Counter(path for _, method, path in dyno.requests if method == "POST")
        assert set(posts.values()) == {1} and len(posts) == 60, name
    assert dynos["after some requests"].connections < len(dynos["after some requests"].requests) / 2  # they were shared


async def test_a_dyno_that_left_keeps_no_connection(haproxy: Started, keeping: KeepingDyno) -> None:
    rig, router = haproxy
    other = KeepingDyno(raw(b""))
    await other.start()
    await router.apply(app := route(keeping))
    assert (await rig.get(app.hosts[0])).status_code == 200
    await router.apply(route(other, host=app.hosts[0], app_id=app.app_id))
    assert (await rig.get(app.hosts[0])).status_code == 200
    assert (len(keeping.requests), len(other.requests)) == (1, 1)

    async def is_forgotten() -> bool:
        return len((await router._live()).servers["be_0001"]) == 1

    await until(is_forgotten)
    other.stop()
