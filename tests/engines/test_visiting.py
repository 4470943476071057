"""Dynos visit other apps at the machine's public addresses, as the Internet does, and nothing else of the machine there.

The machine is a network namespace with a real HAProxy in it. 203.0.113.0/24 is set aside for documentation (RFC 5737): nobody's, and
public to the firewall.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from routers.rig import Rig, lines_of, running_haproxy
from senryu.agent.firewall import VISITS_PER_DYNO
from senryu.agent.lot import Lot
from senryu.core.dyno import DynoKind
from senryu.core.route import Route, RouteMode, RouteTarget
from senryu.engines.container import ContainerEngine
from senryu.routers.haproxy import HAProxyRouter

from .rig import order, result, seen
from .test_forwarding import NEAR, ElsewhereAgent, inside, ip, machine_elsewhere

pytestmark = pytest.mark.system

PUBLIC, PRIVATE, CARRIER = "203.0.113.7", "192.168.77.1", "100.64.77.1"
BUCKET = "senryu-0123456789abcdef0123"
HOST = "shop.example.com"
PAGE = """
import http.server, os
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("from " + str(self.headers["X-Forwarded-For"])).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
"""
VISIT = """
import http.client, socket, ssl, sys, threading
def visited(place):
    address, port, *tls = place.split(":")
    try:
        plain = http.client.HTTPConnection(address, int(port), timeout=3)
        if tls:
            plain.connect(); plain.sock = ssl._create_unverified_context().wrap_socket(plain.sock)
        plain.request("GET", "/", headers={"Host": sys.argv[1], "X-Forwarded-For": "8.8.8.8"})
        answer = plain.getresponse()
        print(place, answer.status, answer.read().decode(), flush=True)
    except OSError as error:
        print(place, "closed", flush=True)
threads = [threading.Thread(target=visited, args=(place,)) for place in sys.argv[2:]]
for each in threads: each.start()
for each in threads: each.join()
"""
HOLD = """
import socket, sys
held, refused = [], 0
for _ in range(int(sys.argv[3])):
    try: held.append(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5))
    except ConnectionRefusedError: refused += 1
    except OSError: break
print("held", len(held), "refused", refused)
"""
STAY = """
import os
socket.create_server(("", int(os.environ["PORT"]))).accept()
"""


@dataclass
class Machine:
    """One with a router, an app that is served, and other listeners on every address."""

    engine: ContainerEngine
    rig: Rig
    router: HAProxyRouter
    app: Route
    lot: Lot

    async def visits(self, *places: str, kind: DynoKind = DynoKind.ONE_OFF, **changes: Any) -> dict[str, str]:
        """What a dyno gets at each `ADDRESS:PORT`, or at `ADDRESS:PORT:tls`."""
        lines, _ = await result(self.engine, shlex.join(("python3", "-c", VISIT, HOST, *places)), kind=kind, **changes)
        return dict(line.partition(" ")[::2] for line in lines)


@contextlib.asynccontextmanager
async def machine(address: str, *, listen: str = "0.0.0.0", lan_address: str = "") -> AsyncIterator[Machine]:
    """Its router is at `listen`; the agent is told that it is at `address`, and on a LAN at `lan_address`."""
    with machine_elsewhere() as near:
        for other in (PUBLIC, PRIVATE, CARRIER):
            ip("-n", near, "address", "add", f"{other}/32", "dev", "eth0")
        with inside(near):
            patient = {"header_timeout_s": 30.0, "idle_timeout_s": 30.0}
            async with running_haproxy(listen=(listen,), lan_address=lan_address, **patient) as (rig, router):
                ports = ("--router-port", str(rig.settings.port), "--router-port", str(rig.settings.tls_port))
                lan = ("--router-lan-address", lan_address) if lan_address else ()
                agent = ElsewhereAgent(near, *ports, "--router-address", address, "--objects-host", "objects.localhost", *lan)
                try:
                    agent.start()
                    async with ContainerEngine(agent.home) as engine:
                        web = order(shlex.join(("exec", "python3", "-c", PAGE)))
                        await engine.start(web)
                        dyno = await seen(engine, web.id, lambda dyno: dyno.is_listening)
                        assert dyno.address is not None
                        app = Route(web.app_id, "shop", (HOST,), RouteMode.SERVE, (RouteTarget(web.id, "web.1", dyno.address),))
                        await router.apply(app)
                        yield Machine(engine, rig, router, app, Lot(int((agent.home / "agent" / "lot").read_text())))
                finally:
                    agent.clean_up()


async def test_dynos_and_builds_get_another_apps_page_at_the_machines_public_addresses_and_nothing_else_of_it() -> None:
    async with machine("0.0.0.0") as here:
        port, tls = here.rig.settings.port, here.rig.settings.tls_port
        other = await asyncio.start_server(lambda _reader, writer: writer.close(), "0.0.0.0", 0)
        closed = [f"{found}:{number}" for found in (here.lot.gateway, PRIVATE, CARRIER) for number in (port, tls)]
        closed.append(f"{PUBLIC}:{other.sockets[0].getsockname()[1]}")
        async with other:
            for place in closed:  # by the machine itself
                (await asyncio.open_connection(*place.split(":")))[1].close()
            places = (f"{PUBLIC}:{port}", f"{PUBLIC}:{tls}:tls", f"{NEAR}:{port}", *closed)
            got, in_build = await asyncio.gather(here.visits(*places), here.visits(*places, kind=DynoKind.BUILD))
    assert got == in_build
    # Whatever a dyno says of itself, the last is what the router adds: the address under which all dynos go about the Internet.
    assert got == {
        f"{PUBLIC}:{port}": f"200 from 8.8.8.8, {PUBLIC}",
        f"{PUBLIC}:{tls}:tls": f"200 from 8.8.8.8, {PUBLIC}",
        f"{NEAR}:{port}": f"200 from 8.8.8.8, {NEAR}",
        **dict.fromkeys(closed, "closed"),
    }


async def test_a_router_at_one_public_address_is_visited_there_alone() -> None:
    async with machine(PUBLIC) as here:
        port = here.rig.settings.port
        got = await here.visits(f"{PUBLIC}:{port}", f"{NEAR}:{port}", f"{here.lot.gateway}:{port}")
        assert (await lines_of(here.router, here.app.app_id))[0].fwd == f"8.8.8.8, {PUBLIC}"
    assert got == {f"{PUBLIC}:{port}": f"200 from 8.8.8.8, {PUBLIC}", f"{NEAR}:{port}": "closed", f"{here.lot.gateway}:{port}": "closed"}


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
async def test_a_dyno_that_reaches_object_storage_at_the_gateway_visits_nobody_there(address: str) -> None:
    async with machine(address, listen=address) as here:
        gateway, public = (f"{found}:{here.rig.settings.port}" for found in (here.lot.gateway, PUBLIC))
        got = await here.visits(gateway, public, buckets=(BUCKET,))
    assert got == {gateway: "403 Dynos reach object storage here, and nothing else.", public: f"200 from 8.8.8.8, {PUBLIC}"}


@pytest.mark.parametrize("address", ["", PRIVATE])
async def test_a_router_that_the_internet_does_not_find_is_not_visited_by_dynos(address: str) -> None:
    async with machine(address) as here:
        places = [f"{found}:{here.rig.settings.port}" for found in (PUBLIC, NEAR, PRIVATE, here.lot.gateway)]
        assert await here.visits(*places) == dict.fromkeys(places, "closed")


@pytest.mark.parametrize("address", ["0.0.0.0", PRIVATE])
async def test_dynos_visit_at_the_private_address_that_the_operator_names_and_at_no_other(address: str) -> None:
    async with machine(address, listen=address, lan_address=PRIVATE) as here:
        port, tls = here.rig.settings.port, here.rig.settings.tls_port
        other = await asyncio.start_server(lambda _reader, writer: writer.close(), "0.0.0.0", 0)
        closed = [f"{found}:{port}" for found in (CARRIER, here.lot.gateway, "127.0.0.1")]
        closed.append(f"{PRIVATE}:{other.sockets[0].getsockname()[1]}")
        async with other:
            got = await here.visits(f"{PRIVATE}:{port}", f"{PRIVATE}:{tls}:tls", *closed)
        assert await _held(here, PRIVATE) == [f"held {VISITS_PER_DYNO} refused 8"]
    seen_as = f"200 from 8.8.8.8, {PRIVATE}"
    assert got == {f"{PRIVATE}:{port}": seen_as, f"{PRIVATE}:{tls}:tls": seen_as, **dict.fromkeys(closed, "closed")}


async def test_one_dyno_does_not_take_all_the_connections_of_the_router() -> None:
    async with machine("0.0.0.0") as here:
        assert await _held(here, PUBLIC) == [f"held {VISITS_PER_DYNO} refused 8"]


@pytest.mark.parametrize("address", ["0.0.0.0", PRIVATE])
async def test_a_dyno_that_reaches_object_storage_does_not_take_all_the_connections_there_either(address: str) -> None:
    async with machine(address) as here:
        assert await _held(here, here.lot.gateway, buckets=(BUCKET,)) == [f"held {VISITS_PER_DYNO} refused 8"]


async def test_whoever_takes_all_the_connections_to_object_storage_that_it_gets_keeps_nobody_from_websites_and_buckets() -> None:
    async with machine("0.0.0.0") as here:
        port = here.rig.settings.port
        hold = shlex.join(("python3", "-c", HOLD + STAY, here.lot.gateway, str(port), "2200"))
        taking = [order(f"ulimit -n 4096; exec {hold}", buckets=(BUCKET,)) for _ in range(5)]
        await asyncio.gather(*(here.engine.start(each) for each in taking))
        for each in taking:
            await seen(here.engine, each.id, lambda dyno: dyno.is_listening)
        assert (await here.rig.get(HOST)).text == "from 127.0.0.1"
        got = await here.visits(f"{here.lot.gateway}:{port}", buckets=(BUCKET,))
    assert got == {f"{here.lot.gateway}:{port}": "403 Dynos reach object storage here, and nothing else."}


async def _held(here: Machine, address: str, **changes: Any) -> list[str]:
    """What a dyno holds that opens some connections more than it may."""
    command = shlex.join(("python3", "-c", HOLD, address, str(here.rig.settings.port), str(VISITS_PER_DYNO + 8)))
    lines, _ = await result(here.engine, f"ulimit -n 1024; {command}", **changes)
    return lines
