from __future__ import annotations

import re
import socket
import threading

import pytest

from senryu.cli.platform_api import PlatformApi
from senryu.cli.platform_url import PlatformUrl

from .conftest import Senryu
from .fake_api import FakeApi, Reply


def test_pages_are_fetched_until_there_is_no_next_range(api: FakeApi) -> None:
    api.on("GET /things", [1, 2], 206, headers={"Next-Range": "]2..; max=2"})
    api.then("GET /things", [3])
    with PlatformApi() as platform:
        assert platform.pages("/things") == [1, 2, 3]
    assert api.asked("GET /things")[1].headers["Range"] == "]2..; max=2"


def test_a_refusal_carries_the_sentence_the_id_and_the_status(api: FakeApi, senryu: Senryu) -> None:
    api.error("GET /apps/nope/config-vars", 404, "not_found", "Couldn't find that app.")
    result = senryu("config", "-a", "nope")
    assert (result.status, result.err) == (2, "error: Couldn't find that app.\n  Error ID: not_found\n")


def test_an_error_page_that_is_no_json_is_told_with_its_request_id(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/config-vars", b"<h1>oops</h1>", 502, headers={"Request-Id": "abc"})
    result = senryu("config", "-a", "myapp")
    assert result.status == 2
    assert result.err.startswith(f"error: The platform answered 502 to GET {api.url}/apps/myapp/config-vars\nhint: Request id: abc")


def test_warnings_of_the_platform_are_shown(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /regions", [], headers={"X-Heroku-Warning": "warning: old stack"})
    assert senryu("regions").err == "warning: old stack\n"


def test_connection_refused_says_where_it_looked_and_how_to_start(senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://localhost:{taken.getsockname()[1]}"
        monkeypatch.setenv("SENRYU_URL", url)
        monkeypatch.setenv("SENRYU_API_KEY", "k")
        result = senryu("apps")
    assert result.status == 2
    assert result.err.splitlines()[0] == f"error: Could not reach the platform at {url}: connection refused"
    assert "./quickstart" in result.err and "SENRYU_URL" in result.err


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://", "http://x:port", "http://x/path", "http://[::1"])
def test_a_wrong_address_is_named(url: str, senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENRYU_URL", url)
    result = senryu("whoami")
    assert (result.status, result.err.splitlines()[0]) == (
        1,
        f"error: SENRYU_URL is `{url}`, which is no http:// or https:// address without a path",
    )


def test_names_under_localhost_are_this_machine(api: FakeApi) -> None:
    url = PlatformUrl(api.url.replace("localhost", "api.some.localhost"))
    with PlatformApi(url, "t") as platform:
        platform.get("/account")
    assert api.requests[0].headers["Host"] == url.machine


@pytest.mark.parametrize(
    ("text", "machine"),
    [
        ("http://localhost:8080/", "localhost:8080"),
        ("https://paas.example", "paas.example"),
        ("https://paas.example:443", "paas.example"),
        ("http://paas.example:443", "paas.example:443"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_the_machine_is_the_host_with_its_unusual_port(text: str, machine: str) -> None:
    assert PlatformUrl(text).machine == machine


def test_one_connection_is_kept_for_several_calls(api: FakeApi) -> None:
    ports: set[int] = set()
    with PlatformApi() as platform:
        for _ in range(3):
            platform.get("/account")
            assert platform._connection is not None and platform._connection.sock is not None
            ports.add(platform._connection.sock.getsockname()[1])
    assert len(ports) == 1


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again_for_a_read(api: FakeApi) -> None:
    api.on("GET /close", lambda request: Reply({}, headers={"Connection": "keep-alive"}, chunks=[b"{}"]))
    with PlatformApi() as platform:
        platform.get("/close")
        assert platform.get("/account")["id"] == "1"


def test_a_write_whose_connection_broke_is_repeated_once_under_the_same_id(stranger: FakeApi) -> None:
    heads: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for answer in (b"", b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"):
            connection, _ = listener.accept()
            with connection:
                heads.append(connection.recv(65536))
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        with PlatformApi(PlatformUrl(f"http://127.0.0.1:{listener.getsockname()[1]}"), "token") as platform:
            assert platform.post("/apps") == {}
        thread.join(10)
    ids = [re.findall(rb"Request-Id: ([0-9a-f]{32})", head) for head in heads]
    assert len(ids) == 2
    assert ids[0] == ids[1] != []
