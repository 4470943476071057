"""A real HAProxy in a home of its own, and dynos that behave as badly as a test asks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import structlog

from senryu.core.route import RequestLine, Route, RouteMode, RouteTarget
from senryu.routers.haproxy import HAProxyRouter, RouterSettings, files, write_start_files

DEADLINE_S = 20.0
# For visitors who must all be answered: dynos live in the test's own process, which waits for a processor now and then.
PATIENT: dict[str, float] = {"first_byte_timeout_s": 10.0, "connect_timeout_s": 3.0}
STARTER = str(Path(files.__file__).with_name("starter.sh"))
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Looks again and again until there is something to see."""
    async with asyncio.timeout(DEADLINE_S):
        while not await look():
            await asyncio.sleep(0.05)


def answer(body: bytes = b"hello world\n", *headers: str, status: str = "200 OK") -> Behaviour:
    """A dyno that reads the head of a request, answers and closes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        lines = "".join(f"{header}\r\n" for header in headers)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body)

    return behave


def raw(content: bytes, then_silent: bool = False) -> Behaviour:
    """A dyno that sends these very bytes and closes, or goes silent."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        writer.write(content)
        await writer.drain()
        if then_silent:
            await asyncio.sleep(60)

    return behave


@dataclass
class Dyno:
    """A web dyno on a port of this machine. `heads` are the request heads it saw."""

    behaviour: Behaviour
    name: str = "web.1"
    id: UUID = field(default_factory=uuid4)
    heads: list[bytes] = field(default_factory=list)
    port: int = 0
    server: asyncio.Server | None = None

    async def start(self) -> Dyno:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        if self.server is not None:
            self.server.close()

    def target(self, is_draining: bool = False) -> RouteTarget:
        return RouteTarget(self.id, self.name, f"127.0.0.1:{self.port}", is_draining)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            await self.behaviour(reader, writer, head)
            await writer.drain()
        writer.close()


def route(*dynos: Dyno, host: str = "", mode: RouteMode = RouteMode.SERVE, app_id: UUID | None = None) -> Route:
    app_id = app_id or uuid4()
    name = f"app-{str(app_id)[:8]}"
    hosts = (host or f"{name}.localhost",)
    return Route(app_id, name, hosts, mode, tuple(dyno.target() for dyno in dynos))


class Rig:
    """HAProxy as its service starts it."""

    def __init__(self, settings: RouterSettings) -> None:
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self.stderr = settings.home / "haproxy.err"

    async def start(self, command: Sequence[str] = ()) -> None:
        """With `command` instead of the starter, its stdout appended to the request log."""
        s = self.settings
        with s.log.open("ab") as out, self.stderr.open("ab") as err:
            self.process = subprocess.Popen(command or ("/bin/sh", STARTER, str(s.home)), stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        await until(self._is_up)

    async def _is_up(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.stderr.read_text()
        try:
            (await asyncio.open_unix_connection(str(self.settings.socket)))[1].close()
            (await asyncio.open_connection(self.settings.listen[0], self.settings.port))[1].close()
        except OSError:
            return False
        return True

    def stop(self, *, kill: bool = False) -> None:
        """With `kill` starter and HAProxy die by SIGKILL, as in a power cut."""
        if kill:
            self.kill_starter()
            deadline = time.monotonic() + DEADLINE_S
            while (there := self.haproxy_ids()) and time.monotonic() < deadline:
                for pid in there:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.005)
        elif self.process is not None:
            self.process.terminate()
            self.process.wait(DEADLINE_S)
        self.process = None

    def kill_starter(self) -> None:
        """HAProxy is left to itself."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(DEADLINE_S)

    def reload(self) -> None:
        """As `systemctl reload` asks for it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGUSR2)

    def haproxy_ids(self) -> list[int]:
        """All of this home, those that end in their own time and those of another starter too."""
        config, found = str(self.settings.config).encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"haproxy") and config in words:
                    found.append(int(process.name))
        return sorted(found)

    def memory_bytes(self) -> int:
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.haproxy_ids()]
        return sum(pages) * resource.getpagesize()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    async def get(self, host: str, path: str = "/", **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False) as client:
            headers = {"Host": host, **more.pop("headers", {})}
            return await client.request(more.pop("method", "GET"), self.url + path, headers=headers, **more)

    async def send(self, request: bytes) -> bytes:
        """Raw bytes in, all that comes back until the router closes or is silent for a second."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.settings.port)
        writer.write(request)
        received = b""
        try:
            while chunk := await asyncio.wait_for(reader.read(65536), 1):
                received += chunk
        except (TimeoutError, ConnectionError):
            pass
        writer.close()
        return received


async def written(rig: Rig, router: HAProxyRouter) -> None:
    """Waits until all that is routed is in the files that HAProxy starts from."""

    async def is_written() -> bool:
        apps, config = rig.settings.apps.read_text(), rig.settings.config.read_text()
        routes = await router.routes()
        return all(
            f" {route.mode}:{route.app_id}:" in apps and all(target.address in config for target in route.targets) for route in routes
        )

    await until(is_written)


async def lines_of(router: HAProxyRouter, app_id: UUID, count: int = 1, after: int = 0) -> list[RequestLine]:
    """The app's first request lines."""
    found: list[RequestLine] = []
    async with asyncio.timeout(DEADLINE_S):
        async for batch in router.requests(after):
            found += [line for line in batch if line.app_id == app_id]
            if len(found) >= count:
                return found
    raise AssertionError("not reached")


@contextlib.asynccontextmanager
async def running_haproxy(**changes: Any) -> AsyncIterator[tuple[Rig, HAProxyRouter]]:
    """A started HAProxy with short times, and the router that drives it. Everything is gone afterwards."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    home = Path(tempfile.mkdtemp(prefix="senryu-router-"))
    port, tls_port = free_ports(2)
    quick: dict[str, Any] = {
        "slots": 4, "first_byte_timeout_s": 1.0, "idle_timeout_s": 2.0, "connect_timeout_s": 0.3, "boot_timeout_s": 2.0,
        "header_timeout_s": 1.0, "platform_wait_s": 2.0, "listen": ("127.0.0.1",),
    }  # fmt: skip
    settings = RouterSettings(home=home, port=port, tls_port=tls_port, **(quick | changes))
    rig = Rig(settings)
    try:
        write_start_files(settings)
        await rig.start()
        async with HAProxyRouter(settings) as router:
            yield rig, router
    finally:
        structlog.configure(**before)
        rig.stop(kill=True)
        shutil.rmtree(home)
