"""Requests that can be read in two ways, replayed raw against gunicorn, uvicorn and node behind the router.

Whatever the router makes of one, the server behind it sees one request at most, and that one came through the router; else the visitor got
a refusal and a closed connection. What other visitors get afterwards is their own. The same against dynos: tests/system/test_smuggling.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from .rig import Dyno, Rig, answer, free_ports, route, running_haproxy, until
from .smuggled import PAYLOADS, TWO_FRAMINGS, Replayed, check, check_two_framings, numbered, replayed

pytestmark = pytest.mark.system
HERE = Path(__file__).parent / "origins"
BIN = Path(sys.executable).parent
ORIGINS = {
    "gunicorn": [str(BIN / "gunicorn"), "-k", "gthread", "--threads", "16", "-b", "127.0.0.1:PORT", "--no-control-socket", "wsgi:app"],
    "uvicorn": [str(BIN / "uvicorn"), "--http", "httptools", "--port", "PORT", "--log-level", "error", "asgi:app"],
    "uvicorn with h11": [str(BIN / "uvicorn"), "--http", "h11", "--port", "PORT", "--log-level", "error", "asgi:app"],
    "node": ["node", str(HERE / "server.js")],
}
PROBES = 8
AT_ONCE = 8


@dataclass(frozen=True)
class Origin:
    """All payloads against one server; what visitors that asked for `/probe-N` afterwards got; what came of two requests in a packet."""

    replayed: Mapping[str, Replayed]
    probes: tuple[bytes, ...]
    pipelined: tuple[bytes, ...]


@pytest.fixture(scope="module", params=ORIGINS)
def origin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """Replays every payload once, each against its own host of the one server."""
    if shutil.which(ORIGINS[request.param][0]) is None:
        pytest.fail(f"{request.param} is not installed; run ./test, which brings it")
    with _serving(ORIGINS[request.param], tmp_path_factory.mktemp("origin")) as (port, seen):
        return asyncio.run(_replay(port, seen))


@contextlib.contextmanager
def _serving(command: list[str], folder: Path) -> Iterator[tuple[int, Path]]:
    [port] = free_ports(1)
    seen = folder / "seen"
    environment = {"PATH": os.environ["PATH"], "PORT": str(port), "SEEN": str(seen), "HOME": str(folder), "PYTHONPATH": str(HERE)}
    with (folder / "output").open("wb") as output:
        words = [word.replace("PORT", str(port)) for word in command]
        process = subprocess.Popen(words, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield port, seen
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


async def _replay(port: int, seen: Path) -> Origin:
    async def listens() -> bool:
        with contextlib.suppress(OSError):
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return True
        return False

    await until(listens)
    async with running_haproxy() as (rig, router):
        app = route(Dyno(answer(), port=port))
        await router.apply(app)
        one_of_few = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, payload: bytes) -> tuple[bytes, bool]:
            async with one_of_few:
                return await _speak(rig, numbered(payload, number, app.hosts[0]))

        said = await asyncio.gather(*(one(number, payload) for number, payload in enumerate(PAYLOADS.values())))
        probes = [(await rig.get(app.hosts[0], f"/probe-{number}")).content for number in range(PROBES)]
        pair = f"POST /first HTTP/1.1\r\nHost: {app.hosts[0]}\r\nContent-Length: 5\r\n\r\nhello".encode()
        pair += f"GET /second HTTP/1.1\r\nHost: {app.hosts[0]}\r\nConnection: close\r\n\r\n".encode()
        answers, _ = await _speak(rig, pair)
    return Origin(
        replayed(said, seen.read_text()),
        tuple(probes),
        tuple(line + b"\n" for line in answers.split(b"\n") if line.startswith((b"/first", b"/second"))),
    )


async def _speak(rig: Rig, request: bytes) -> tuple[bytes, bool]:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.settings.port)
    received, is_closed = b"", False
    try:
        writer.write(request)
        async with asyncio.timeout(2 * rig.settings.idle_timeout_s):
            while chunk := await reader.read(65536):
                received += chunk
            is_closed = True
    except TimeoutError:
        pass
    except ConnectionError:
        is_closed = True
    writer.close()
    return received, is_closed


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_request_read_in_two_ways_reaches_the_server_once_or_not_at_all(origin: Origin, name: str) -> None:
    check(origin.replayed[name])


@pytest.mark.parametrize("name", [f"framing: {name}" for name in TWO_FRAMINGS])
def test_a_length_and_chunks_together_are_one_request_and_the_connections_last(origin: Origin, name: str) -> None:
    check_two_framings(origin.replayed[name])


def test_other_visitors_get_their_own_answers_afterwards(origin: Origin) -> None:
    assert origin.probes == tuple(f"/probe-{number} 0\n".encode() for number in range(PROBES))


def test_pipelined_requests_are_answered_one_after_the_other(origin: Origin) -> None:
    """Two whole requests in one packet are two requests, and nothing of them is mixed up."""
    assert origin.pipelined == (b"/first 5\n", b"/second 0\n")
