"""Requests that can be read in two ways, replayed raw against dynos of gunicorn, uvicorn and node, as `git push` deploys them.

The list, its origins and what must come of each are those of tests/routers/test_smuggling.py, which has more servers and shorter times.
Source: reliability catalogue, group F.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version

import pytest

from routers.smuggled import PAYLOADS, REFUSED, TWO_FRAMINGS, Replayed, check, check_two_framings, numbered, replayed

from .person import App, Person, new_app
from .rig import CHECKOUT, Copy, eventually

pytestmark = pytest.mark.registry
ORIGINS = CHECKOUT / "tests/routers/origins"
SEEN = "/tmp/seen"
SILENCE_S = 5.0  # what follows an answer follows at once
PATIENCE_S = 100.0
_NODE = '{"name": "origin", "version": "1.0.0", "engines": {"node": ">=18"}}\n'
SERVERS = {
    "gunicorn": {
        "Procfile": f"web: SEEN={SEEN} gunicorn -k gthread --threads 16 wsgi:app\n",
        "requirements.txt": f"gunicorn=={version('gunicorn')}\n",
        "wsgi.py": (ORIGINS / "wsgi.py").read_text(),
    },
    "uvicorn": {
        "Procfile": f"web: SEEN={SEEN} uvicorn --http httptools --host 0.0.0.0 --port $PORT --log-level error asgi:app\n",
        "requirements.txt": f"uvicorn=={version('uvicorn')}\nhttptools=={version('httptools')}\n",
        "asgi.py": (ORIGINS / "asgi.py").read_text(),
    },
    "node": {
        "Procfile": f"web: SEEN={SEEN} node server.js\n",
        "package.json": _NODE,
        "server.js": (ORIGINS / "server.js").read_text(),
    },
}


@pytest.fixture(scope="module")
def dynos(operator: Person, platform: Copy) -> Iterator[Mapping[str, Mapping[str, Replayed]]]:
    """By server and payload. The three are asked at once: some answers take the router's own time."""
    with ExitStack() as stack:
        apps = {name: stack.enter_context(new_app(operator, files)) for name, files in SERVERS.items()}
        for app in apps.values():
            app.push()
            eventually(lambda app=app: app.visit("/ready").text == "/ready 0\n", "its answer")  # type: ignore[misc]
        with ThreadPoolExecutor(len(PAYLOADS) * len(apps)) as visitors:
            said = {
                name: [
                    visitors.submit(_speak, platform, host := f"{app.name}.localhost", numbered(payload, number, host))
                    for number, payload in enumerate(PAYLOADS.values())
                ]
                for name, app in apps.items()
            }
            yield {name: replayed([one.result(2 * PATIENCE_S) for one in said[name]], _seen(app)) for name, app in apps.items()}
        for app in apps.values():
            assert app.visit("/afterwards").text == "/afterwards 0\n"


def _seen(app: App) -> str:
    return app.senryu("ps:exec", "--", "cat", SEEN).stdout


def _speak(copy: Copy, host: str, request: bytes) -> tuple[bytes, bool]:
    """What a visitor reads until the router closes, or is silent after its answer; and whether nothing of the request is left there.

    That is so when it closed, or the next request over the connection gets its own answer and no other.
    """
    with socket.create_connection(("127.0.0.1", copy.port), PATIENCE_S) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        received, is_closed = _read(connection)
        if is_closed or not received.startswith(REFUSED):
            return received, is_closed
        connection.settimeout(PATIENCE_S)
        connection.sendall(f"GET /next HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        following, is_closed = _read(connection)
        return received, is_closed and following.count(b"HTTP/1.1 ") == 1 and following.endswith(b"/next 0\n")


def _read(connection: socket.socket) -> tuple[bytes, bool]:
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
            connection.settimeout(PATIENCE_S if received.endswith(b"100 Continue\r\n\r\n") else SILENCE_S)
    except TimeoutError:
        return received, False
    except ConnectionError:
        pass
    return received, True


@pytest.mark.parametrize("server", SERVERS)
def test_a_request_read_in_two_ways_reaches_a_dyno_once_or_not_at_all(dynos: Mapping[str, Mapping[str, Replayed]], server: str) -> None:
    for name, one in dynos[server].items():
        try:
            check(one)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}; {one}") from None


@pytest.mark.parametrize("server", SERVERS)
def test_a_length_and_chunks_together_are_one_request_of_a_dyno(dynos: Mapping[str, Mapping[str, Replayed]], server: str) -> None:
    for name in TWO_FRAMINGS:
        check_two_framings(dynos[server][f"framing: {name}"])
