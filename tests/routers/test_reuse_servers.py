"""Shared connections to the servers apps run: gunicorn, uvicorn and node with short keep-alives, and workers that end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from pathlib import Path

import httpx
import pytest

from .rig import Dyno, answer, route, running_haproxy, until
from .test_smuggling import BIN, HERE
from .test_smuggling import _serving as serving

pytestmark = pytest.mark.system
_SHORT = (
    "const http = require('http'), create = http.createServer;"
    "http.createServer = (...given) => Object.assign(create(...given), { keepAliveTimeout: 300 });"
    "require(process.argv[1])"
)
_UVICORN = (str(BIN / "uvicorn"), "--timeout-keep-alive", "1", "--port", "PORT", "--log-level", "error")
SERVERS = {
    "gunicorn": [str(BIN / "gunicorn"), "-k", "gthread", "--threads", "16", "--keep-alive", "1", "--max-requests", "60",
                 "-b", "127.0.0.1:PORT", "--no-control-socket", "wsgi:app"],
    "uvicorn": [*_UVICORN, "--http", "httptools", "asgi:app"],
    "uvicorn with h11": [*_UVICORN, "--http", "h11", "asgi:app"],
    "node": ["node", "-e", _SHORT, str(HERE / "server.js")],
}  # fmt: skip
VISITORS, TURNS = 16, 8


async def _visit(url: str, host: str, number: int, seen: Counter[str]) -> None:
    """Reads and writes by turns, with pauses about as long as the servers keep connections."""
    async with httpx.AsyncClient(trust_env=False, base_url=url, headers={"Host": host}, timeout=20) as client:
        for turn in range(TURNS):
            method = "POST" if turn % 2 else "GET"
            try:
                seen[f"{method} {(await client.request(method, f'/{number}/{turn}')).status_code}"] += 1
            except httpx.HTTPError as error:
                seen[f"{method} {error!r}"] += 1
            await asyncio.sleep(random.choice((random.uniform(0, 0.05), random.uniform(0.25, 0.35), random.uniform(0.9, 1.1))))


async def test_servers_that_end_idle_connections_lose_nothing_and_no_write_is_doubled(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        ports, files = {}, {}
        for name, command in SERVERS.items():
            (folder := tmp_path / name.replace(" ", "-")).mkdir()
            ports[name], files[name] = stack.enter_context(serving(command, folder))

        async def listen() -> bool:
            with contextlib.suppress(OSError):
                for port in ports.values():
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                return True
            return False

        await until(listen)
        counts: dict[str, Counter[str]] = {name: Counter() for name in SERVERS}
        async with running_haproxy() as (rig, router):
            apps = {name: route(Dyno(answer(), port=port)) for name, port in ports.items()}
            for app in apps.values():
                await router.apply(app)
            await asyncio.gather(*(_visit(rig.url, apps[name].hosts[0], n, counts[name]) for name in SERVERS for n in range(VISITORS)))
        half = VISITORS * TURNS // 2
        assert counts == {name: {"GET 200": half, "POST 200": half} for name in SERVERS}
        for name in SERVERS:
            requests = [json.loads(line) for line in files[name].read_text().splitlines()]
            writes = Counter(path for method, path, _ in requests if method == "POST")
            assert len(writes) == half and set(writes.values()) == {1}, name
