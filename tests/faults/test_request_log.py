"""The router's log of requests while senryud, which reads it, is away for long."""

from __future__ import annotations

import socket

from senryu.agent.request_log import MAX_BYTES
from system.rig import Copy, eventually

from .conftest import NewApp

_PATH_BYTES = 6_900
_REQUESTS = 12_000
_AT_ONCE = 50


def test_what_nobody_reads_takes_no_more_than_its_bound_and_is_counted(platform: Copy, make_app: NewApp) -> None:
    app = make_app("polite")
    log = platform.home / "router" / "requests.log"
    agent = platform.home / "services/agent/log/main/current"
    platform.sv("down", "senryud")
    try:
        _ask_for_nothing(platform.port)
        eventually(lambda: "lines of the router's request log were dropped" in agent.read_text(), "the count of what was dropped")
        assert log.stat().st_blocks * 512 <= MAX_BYTES
        assert app.visit("/while-away").status == 200
    finally:
        platform.sv("up", "senryud")
    platform.await_health()
    assert app.visit("/back-again").status == 200
    app.logged('path="/back-again"')
    assert 'path="/while-away"' in app.log()
    eventually(lambda: log.stat().st_blocks * 512 < 1 << 20, "the space of what was read")


def _ask_for_nothing(port: int) -> None:
    """Requests to no app, whose lines are as long as lines can be."""
    request = f"GET /{'x' * _PATH_BYTES} HTTP/1.1\r\nHost: nobody.localhost:{port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        for _ in range(_REQUESTS // _AT_ONCE):
            connection.sendall(request * _AT_ONCE)
            answered = b""
            while answered.count(b"HTTP/1.1 404") < _AT_ONCE or not answered.endswith(b"</html>"):
                chunk = connection.recv(1 << 20)
                assert chunk, answered[-500:]
                answered += chunk
