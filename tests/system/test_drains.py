"""An app's log at the real rsyslog and at an HTTP receiver, while the platform is killed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .person import Person, new_app, registered
from .rig import eventually, running_copy

PROGRAM = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs rsyslog (apt-get install rsyslog)")
CONFIG = """
global(workDirectory="{home}")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="fields" type="string" string="%HOSTNAME%|%APP-NAME%|%PROCID%|%PRI%|%msg%\\n")
action(type="omfile" file="{home}/received" template="fields" flushOnTXEnd="on")
"""
COUNTS = """\
import time
for number in range(100_000):
    print(f"count {number}", flush=True)
    time.sleep(0.02)
"""


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A port that a private rsyslogd listens on, and the file it writes."""
    assert PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    (tmp_path / "rsyslog.conf").write_text(CONFIG.format(home=tmp_path, port=port))
    process = subprocess.Popen([PROGRAM, "-n", "-f", str(tmp_path / "rsyslog.conf"), "-i", str(tmp_path / "pid")])
    try:
        yield port, tmp_path / "received"
    finally:
        process.terminate()
        process.wait(20)


class Requests:
    """An HTTP receiver; `frames` are the messages of all requests, `ids` their frame ids."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.counts: list[tuple[int, int]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._door())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def text(self) -> str:
        return b"".join(self.bodies).decode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def _door(self) -> type[BaseHTTPRequestHandler]:
        requests = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.bodies.append(body)
                requests.counts.append((int(self.headers["Logplex-Msg-Count"]), body.count(b"\n")))
                self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()

        return Door


@pytest.fixture
def draining(tmp_path: Path) -> Iterator[Person]:
    """The operator of a platform of its own that lets drains lead to this machine."""
    with running_copy("allow_private_drains = true\n") as copy:
        yield registered(copy, tmp_path / "home")


def counted(text: str) -> list[int]:
    """The numbers of the app's lines, in the order they came."""
    return [int(line.rpartition("count ")[2]) for line in text.splitlines() if "count " in line]


def has_all(said: Callable[[], str], upto: int) -> bool:
    """Whether the first so many lines came."""
    return set(range(upto)) <= set(counted(said()))


def test_a_drained_log_is_whole_although_the_platform_is_killed(draining: Person, rsyslog: tuple[int, Path]) -> None:
    port, received = rsyslog
    with ExitStack() as stack:
        requests = Requests()
        stack.callback(requests.close)
        app = stack.enter_context(new_app(draining, {"count.py": COUNTS, "requirements.txt": "", "Procfile": "count: python count.py\n"}))
        app.push()
        added = app.senryu("drains:add", f"syslog://127.0.0.1:{port}")
        assert f"Successfully added drain syslog://127.0.0.1:{port}" in added.stdout
        app.senryu("drains:add", f"http://me:s3cret@127.0.0.1:{requests.server.server_address[1]}/in")
        app.senryu("ps:scale", "count=1")
        eventually(lambda: received.exists() and has_all(received.read_text, 20), "the first lines at rsyslog")
        for kill in range(1, 4):
            draining.copy.kill("senryud")
            draining.copy.await_health()
            for said in (received.read_text, lambda: requests.text):
                eventually(partial(has_all, said, 150 * kill), f"{150 * kill} lines")
        token = received.read_text().split("|", 1)[0]
        assert token in app.senryu("drains").stdout
        assert f"{token}|app|count.1|190|" in received.read_text()
        assert f"{token}|heroku|count.1|45|" in received.read_text()
        assert "L10" not in received.read_text() + requests.text
        assert all(said == came for said, came in requests.counts)
        for numbers in (counted(received.read_text()), counted(requests.text)):
            assert len(numbers) - len(set(numbers)) <= 3 * 100, "more than a batch was repeated"
            assert [number for number, before in zip(numbers[1:], numbers, strict=False) if number > before + 1] == []
        assert "s3cret" not in app.log("-n", "1500") + draining.copy.own_log(1000) + app.senryu("drains").stdout
        app.senryu("drains:remove", f"syslog://127.0.0.1:{port}")
        assert f"syslog://127.0.0.1:{port}" not in app.senryu("drains").stdout
