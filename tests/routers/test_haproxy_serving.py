"""Streaming, WebSockets, HTTP/2, switching dynos under load, restarts: on the real HAProxy."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import ssl
from dataclasses import replace
from functools import partial

import httpx
import pytest
import websockets

from senryu.core.errors import Invalid, Unavailable
from senryu.core.route import Route, RouteMode
from senryu.routers.haproxy import HAProxyRouter, write_start_files

from .conftest import Dynos
from .rig import Dyno, Rig, answer, lines_of, raw, route, running_haproxy, until

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]
MIB = 1024 * 1024


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    """A WebSocket dyno of the crudest kind: bytes come back as they are."""
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    while chunk := await reader.read(65536):
        writer.write(chunk)


async def test_a_websocket_goes_through_and_its_end_is_no_error(haproxy: Started) -> None:
    rig, router = haproxy

    async def back(socket: websockets.ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with websockets.serve(back, "127.0.0.1", 0) as server:
        dyno = Dyno(raw(b""), port=next(iter(server.sockets)).getsockname()[1])
        await router.apply(app := route(dyno))
        uri = f"ws://{app.hosts[0]}:{rig.settings.port}/cable"
        async with websockets.connect(uri, host="127.0.0.1", port=rig.settings.port, proxy=None) as client:
            for message in ("hello", "x" * MIB):
                await client.send(message)
                assert await client.recv() == message
            assert await router.active_requests(dyno.id) == 1
    [line] = await lines_of(router, app.app_id)
    assert (line.status, line.code, line.path) == (101, "", "/cable")


async def test_a_silent_websocket_ends_with_h15(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route(await dynos(_echo)))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    for _ in range(3):  # longer than one idle time in all
        await asyncio.sleep(rig.settings.idle_timeout_s * 0.6)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    [line] = await lines_of(router, app.app_id)
    assert (line.status, line.code) == (101, "H15")


@pytest.mark.parametrize("flags", [["--http2-prior-knowledge"], ["--http2"], ["--http1.1"]])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_visitors_may_speak_http_2_plain_and_over_tls(haproxy: Started, dynos: Dynos, flags: list[str], scheme: str) -> None:
    rig, router = haproxy
    s = rig.settings
    await router.apply(app := route(await dynos(answer()), host="app.example.com"))
    port = s.tls_port if scheme == "https" else s.port
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sS", *flags, "-k", "--resolve", f"{app.hosts[0]}:{port}:127.0.0.1",
        "-w", "%{http_version}", f"{scheme}://{app.hosts[0]}:{port}/", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(curl.communicate(), 10)
    is_two = flags == ["--http2-prior-knowledge"] or (flags == ["--http2"] and scheme == "https")
    assert out == b"hello world\n" + (b"2" if is_two else b"1.1")
    [line] = await lines_of(router, app.app_id)
    assert (line.protocol, line.tls) == (scheme, scheme == "https")


async def test_the_tls_port_serves_a_certificate_of_the_private_ca_for_every_app(haproxy: Started) -> None:
    rig, router = haproxy
    s = rig.settings
    context = ssl.create_default_context(cafile=s.tls / "ca.pem")
    await router.apply(app := route())

    async def is_trusted(name: str) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", s.tls_port, ssl=context, server_hostname=name)
        except ssl.SSLCertVerificationError:
            return False
        writer.close()
        return True

    for name in ("localhost", "api.localhost", app.hosts[0]):
        await until(partial(is_trusted, name))
    assert not await is_trusted("another.localhost")
    assert (s.tls / "ca.key").stat().st_mode & 0o777 == 0o600


async def test_a_certificate_is_replaced_without_a_restart(haproxy: Started) -> None:
    rig, router = haproxy
    s = rig.settings
    path = s.certificates / "default.pem"
    before = await _certificate(s.tls_port)
    path.unlink()
    await asyncio.to_thread(write_start_files, s)
    await router.set_certificate(path, path.read_text())
    assert await _certificate(s.tls_port) != before
    with pytest.raises(Unavailable):
        await router.set_certificate(path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")


async def _certificate(port: int) -> str:
    return await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))


async def test_fifty_requests_wait_while_an_app_boots_and_are_all_served(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.BOOT))
    waiting = [asyncio.create_task(rig.get(app.hosts[0], method="POST", content=b"kept")) for _ in range(50)]
    await asyncio.sleep(0.5)
    assert not any(one.done() for one in waiting)
    dyno = await dynos(answer())
    await router.apply(replace(app, mode=RouteMode.SERVE, targets=(dyno.target(),)))
    assert {(one.status_code, one.text) for one in await asyncio.gather(*waiting)} == {(200, "hello world\n")}
    lines = await lines_of(router, app.app_id, count=50)
    assert {line.code for line in lines} == {""} and max(line.service_ms for line in lines) < 400  # the wait is not the dyno's


async def test_requests_wait_while_a_serving_app_has_no_dyno_for_a_moment(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route())
    waiting = asyncio.create_task(rig.get(app.hosts[0]))
    await asyncio.sleep(0.3)
    await router.apply(replace(app, targets=((await dynos(answer())).target(),)))
    assert (await waiting).status_code == 200


async def test_a_request_that_waits_is_told_when_the_app_crashes(haproxy: Started) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.BOOT))
    waiting = asyncio.create_task(rig.get(app.hosts[0]))
    await asyncio.sleep(0.3)
    await router.apply(replace(app, mode=RouteMode.CRASHED))
    assert (await waiting).status_code == 503
    [line] = await lines_of(router, app.app_id)
    assert line.code == "H10"


async def _is_idle(router: HAProxyRouter, dyno: Dyno) -> bool:
    return await router.active_requests(dyno.id) == 0


async def test_no_request_is_lost_while_dynos_are_switched_twenty_times(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        await asyncio.sleep(0.05)
        await answer()(reader, writer, head)

    dyno = await dynos(busy)
    await router.apply(app := route(dyno))
    seen: list[int] = []
    is_over = False

    async def visit() -> None:
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            while not is_over:
                seen.append((await client.get(rig.url, headers={"Host": app.hosts[0]})).status_code)

    visitors = [asyncio.create_task(visit()) for _ in range(10)]
    for _ in range(20):
        old, dyno = dyno, await dynos(busy)
        await router.apply(replace(app, targets=(old.target(is_draining=True), dyno.target())))
        await router.apply(replace(app, targets=(dyno.target(),)))

        await until(partial(_is_idle, router, old))
        old.stop()
    is_over = True
    await asyncio.gather(*visitors)
    assert len(seen) > 100 and set(seen) == {200}
    [routed] = await router.routes()
    assert routed.targets == (dyno.target(),)


async def test_a_refusing_dyno_costs_no_request_while_another_is_up(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    good, gone = await dynos(answer()), await dynos(answer(), "web.2")
    gone.stop()
    await router.apply(app := route(good, gone))
    assert {(await rig.get(app.hosts[0])).status_code for _ in range(40)} == {200}


async def test_dynos_that_left_are_forgotten_when_their_last_request_ended(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    release = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nab")
        await release.wait()
        writer.write(b"cd")

    old, new = await dynos(hold), await dynos(answer())
    await router.apply(app := route(old))
    waiting = asyncio.create_task(rig.get(app.hosts[0]))

    async def has_arrived() -> bool:
        return await router.active_requests(old.id) == 1

    await until(has_arrived)
    await router.apply(replace(app, targets=(new.target(),)))
    assert [t.dyno_id for r in await router.routes() for t in r.targets] == [new.id]
    release.set()
    assert (await waiting).text == "abcd"

    async def is_forgotten() -> bool:
        return str(old.id) not in rig.settings.config.read_text() and len((await router._live()).servers["be_0001"]) == 1

    await until(is_forgotten)


async def test_haproxy_killed_while_nobody_drives_it_comes_back_with_every_route(dynos: Dynos) -> None:
    async with running_haproxy() as (rig, router):
        serving = route(await dynos(answer()), host="*.example.com")
        resting = replace(route(mode=RouteMode.MAINTENANCE), maintenance_page_url="https://example.com/m")
        draining = route(await dynos(answer()))
        draining = replace(draining, targets=(replace(draining.targets[0], is_draining=True),))
        for app in (serving, resting, draining):
            await router.apply(app)
        before = await router.routes()
        await rig.get("a.example.com")
        await router.__aexit__(None, None, None)
        rig.stop(kill=True)
        with pytest.raises(Unavailable):
            await router.routes()
        await rig.start()
        assert (await rig.get("b.example.com")).text == "hello world\n"
        assert "https://example.com/m" in (await rig.get(resting.hosts[0])).text
        async with HAProxyRouter(rig.settings) as again:
            assert await again.routes() == before
            assert [line.host for line in await lines_of(again, serving.app_id, 2)] == ["a.example.com", "b.example.com"]
            await again.apply(replace(serving, targets=()))
            await again.apply(serving)
            await again.remove(resting.app_id)
            assert (await rig.get("b.example.com")).status_code == 200
            assert (await rig.get(resting.hosts[0])).status_code == 404


async def _is_written(rig: Rig, app: Route) -> bool:
    return app.hosts[0] in rig.settings.hosts.read_text()


async def test_start_files_written_again_keep_every_route(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    await router.apply(app := route(await dynos(answer())))

    await until(partial(_is_written, rig, app))
    before = rig.settings.config.read_text()
    await asyncio.to_thread(write_start_files, rig.settings)
    assert rig.settings.config.read_text() == before and app.targets[0].address in before


async def test_more_apps_than_slots_make_the_router_grow_without_losing_a_request(dynos: Dynos) -> None:
    async with running_haproxy(slots=2) as (rig, router):
        app = route(await dynos(answer()))
        await router.apply(app)
        seen: list[int] = []

        async def visit() -> None:
            while len(seen) < 1000:
                seen.append((await rig.get(app.hosts[0])).status_code)

        visitor = asyncio.create_task(visit())
        others = [route(await dynos(answer())) for _ in range(4)]
        for other in others:
            await router.apply(other)
        assert {(await rig.get(other.hosts[0])).status_code for other in others} == {200}
        assert len(await router.routes()) == 5
        visitor.cancel()
        await asyncio.gather(visitor, return_exceptions=True)
        assert seen and set(seen) == {200}


async def test_bodies_stream_both_ways_without_being_stored(haproxy: Started, dynos: Dynos) -> None:
    rig, router = haproxy
    size, chunk = 200 * MIB, os.urandom(MIB)

    async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        left = size
        while left:
            piece = await reader.read(min(left, MIB))
            left -= len(piece)
            writer.write(piece)
            await writer.drain()

    await router.apply(app := route(await dynos(mirror)))
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: {app.hosts[0]}\r\nContent-Length: {size}\r\n\r\n".encode())

    async def upload() -> None:
        for _ in range(size // MIB):
            writer.write(chunk)
            await writer.drain()

    uploading = asyncio.create_task(upload())
    await reader.readuntil(b"\r\n\r\n")
    digest, left = hashlib.sha256(), size
    while left:
        piece = await reader.read(MIB)
        left -= len(piece)
        digest.update(piece)
    await uploading
    writer.close()
    assert digest.digest() == hashlib.sha256(chunk * (size // MIB)).digest()
    assert rig.worker_memory_bytes() < 100 * MIB


async def test_a_body_and_its_answer_reach_the_platform_as_well(haproxy: Started) -> None:
    rig, _ = haproxy

    async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await answer(head.split(b" ")[1])(reader, writer, head)
        await writer.drain()
        writer.close()

    assert (await rig.get("localhost")).json()["id"] == "service_unavailable"
    server = await asyncio.start_unix_server(platform, rig.settings.platform_socket)
    for host in ("localhost", "api.localhost", "git.localhost", "dashboard.localhost"):
        assert (await rig.get(host, "/apps")).text == "/apps"
    server.close()


async def test_requests_wait_while_the_platform_restarts(haproxy: Started) -> None:
    rig, _ = haproxy
    waiting = asyncio.create_task(rig.get("localhost"))
    await asyncio.sleep(0.5)

    async def platform(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer()(reader, writer, await reader.readuntil(b"\r\n\r\n"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(platform, rig.settings.platform_socket)
    assert (await waiting).status_code == 200
    server.close()


@pytest.mark.parametrize("host", ["a\nadd map x", "a b.example.com", "a;b", "UPPER.example.com", "*.*.example.com", "", "-a.example.com"])
async def test_a_host_that_is_none_is_refused(haproxy: Started, host: str) -> None:
    with pytest.raises(Invalid):
        await haproxy[1].apply(replace(route(), hosts=(host,)))


async def test_a_request_log_that_was_read_takes_no_room(haproxy: Started) -> None:
    rig, router = haproxy
    await router.apply(app := route(mode=RouteMode.STOPPED))
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            await client.get(rig.url, headers={"Host": app.hosts[0]})
    lines = await lines_of(router, app.app_id, count=300)
    reading = asyncio.create_task(_read_on(router, lines[-1].position))

    async def is_small() -> bool:
        stat = rig.settings.log.stat()
        return stat.st_size > 64_000 and stat.st_blocks * 512 <= 8192

    await rig.get(app.hosts[0])
    await until(is_small)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await rig.get(app.hosts[0])
    assert len(await lines_of(router, app.app_id, count=2, after=lines[-1].position)) >= 1


async def _read_on(router: HAProxyRouter, after: int) -> None:
    async for _ in router.requests(after):
        pass


async def test_positions_go_on_rising_when_the_log_is_replaced(haproxy: Started) -> None:
    rig, router = haproxy
    s = rig.settings
    await router.apply(app := route(mode=RouteMode.STOPPED))
    await rig.get(app.hosts[0], "/one")
    [one] = await lines_of(router, app.app_id)
    await until(partial(_is_written, rig, app))
    rig.stop()
    s.log.rename(s.log.with_name("old"))
    await asyncio.to_thread(write_start_files, s)
    await rig.start()
    await rig.get(app.hosts[0], "/two")
    [two] = await lines_of(router, app.app_id, after=one.position)
    assert (one.path, two.path) == ("/one", "/two") and two.position > one.position
    assert json.loads(s.run_file.read_bytes())["number"] == 2
