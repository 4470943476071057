"""The official client repeats writes whose connection breaks; the platform does them once, also when it is killed in between."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from system.person import App
from system.rig import eventually

from .client import Heroku


class BrokenLine:
    """A line to the platform. It takes the answers to the first `breaks` requests that begin with `words` and hangs up instead."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.words, self.breaks = b"", 0
        self.broken = 0
        self.on_break: Callable[[], None] = lambda: None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://localhost:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        is_cut = threading.Event()
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=60) as platform:
            client.settimeout(60)
            threading.Thread(target=self._ask, args=(client, platform, is_cut), daemon=True).start()
            while chunk := platform.recv(65536):
                if is_cut.is_set():  # it is done, and answered
                    self.on_break()
                    break
                client.sendall(chunk)
            client.shutdown(socket.SHUT_RDWR)

    def _ask(self, client: socket.socket, platform: socket.socket, is_cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := client.recv(65536):
                if self.words and chunk.startswith(self.words) and self.broken < self.breaks:
                    self.broken += 1
                    is_cut.set()
                platform.sendall(chunk)
            platform.shutdown(socket.SHUT_WR)


@pytest.fixture
def line(heroku: Heroku) -> Iterator[BrokenLine]:
    made = BrokenLine(heroku.person.copy.port)
    yield made
    made.close()


def test_a_write_whose_answer_is_lost_is_done_once(heroku: Heroku, app: App, line: BrokenLine) -> None:
    before = len(heroku.ask("/apps"))
    line.words, line.breaks = b"POST /apps ", 2
    made = heroku.run("apps:create", "--no-remote", "--json", cwd=heroku.person.home, HEROKU_HOST=line.url)
    assert line.broken == 2, "the client repeated it"
    assert len(heroku.ask("/apps")) == before + 1
    [name] = [each["name"] for each in heroku.ask("/apps") if each["name"] in made.stdout]
    releases = heroku.ask(f"/apps/{app.name}/releases")
    line.words, line.breaks, line.broken = f"PATCH /apps/{app.name}/config-vars".encode(), 1, 0

    def dies() -> None:
        heroku.person.copy.kill("senryud")

    line.on_break = dies
    heroku.run("config:set", "ONCE=yes", "-a", app.name, HEROKU_HOST=line.url)
    assert line.broken == 1
    heroku.person.copy.await_health()
    assert len(heroku.ask(f"/apps/{app.name}/releases")) == len(releases) + 1
    line.words, line.breaks, line.broken, line.on_break = f"DELETE /apps/{name}".encode(), 1, 0, lambda: None
    heroku.run("apps:destroy", "-a", name, "--confirm", name, cwd=heroku.person.home, HEROKU_HOST=line.url)
    assert line.broken == 1
    eventually(lambda: len(heroku.ask("/apps")) == before)
    heroku.run("config:unset", "ONCE", "-a", app.name)
