"""Requests nobody should send, through the real router: each is answered 4xx in Heroku's form, quickly, and costs the platform nothing."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from .person import Person

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def token(operator: Person) -> str:
    return operator.senryu("auth:token").stdout.strip()


def sent(operator: Person, method: str, path: str, body: bytes | Iterator[bytes] | None, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and body. What is still unsent when the answer comes stays unsent."""
    connection = http.client.HTTPConnection("localhost", operator.copy.port, timeout=60)
    try:
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name, value)
        length = len(body) if isinstance(body, bytes) else 100 * MIB if body is not None else 0
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        try:
            for chunk in [body] if isinstance(body, bytes) else body or ():
                connection.send(chunk)
        except OSError:
            pass  # the answer came first
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


BODIES = {
    "malformed": b'{"name": ',
    "no object": b"[1, 2]",
    "deep lists": b"[" * 500_000,
    "deep objects": b'{"a":' * 150_000,
    "a long number": b'{"name": 1' + b"0" * 10_000 + b"}",
    "half a surrogate": b'{"name": "\\ud800"}',
    "no UTF-8": b'{"name": "\xff"}',
    "a NUL": b'{"name": "a\\u0000b"}',
    "a wrong type": b'{"name": {"a": [1]}, "stack": 7}',
    "2 MB": b'{"name": "' + b"x" * 2 * MIB + b'"}',
}
WRITES = (("POST", "/apps"), ("PATCH", "/account"), ("POST", "/oauth/authorizations"), ("POST", "/oauth/clients"))


def is_error(status: int, body: bytes) -> bool:
    """Whether it is a 4xx in Heroku's form."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return 400 <= status < 500 and isinstance(told.get("id"), str) and isinstance(told.get("message"), str)


def test_bodies_that_cannot_be_read_are_refused(operator: Person, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Request-Id": "bad"}
    wrong = []
    for name, body in BODIES.items():
        for method, path in WRITES:
            status, answer = sent(operator, method, path, body, headers)
            is_harmless = path == "/oauth/authorizations" and name in ("a wrong type", "a NUL") and status == 201  # it has no `name`
            if not is_error(status, answer) and not is_harmless:
                wrong.append(f"{name} to {method} {path}: {status} {answer[:100]!r}")
    assert wrong == []


def test_a_body_of_100_mb_is_refused_early_and_takes_no_memory(operator: Person, token: str) -> None:
    def much() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * MIB

    before = _memory_kib(operator)
    for headers in ({"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {token}", "Request-Id": "much"}, {}):
        for _ in range(3):
            status, answer = sent(operator, "POST", "/apps", much(), {**headers, "Content-Type": "application/json"})
            assert is_error(status, answer), (status, answer[:200])
    assert _memory_kib(operator) - before < 64 * 1024


def _memory_kib(operator: Person) -> int:
    status = Path(f"/proc/{operator.copy.pid('senryud')}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_unknown_fields_are_named_and_those_of_others_change_nothing(operator: Person, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    before = sent(operator, "GET", "/account", None, headers)[1]
    status, answer = sent(operator, "PATCH", "/account", json.dumps({"no such field": [1]}).encode(), headers)
    assert (status, json.loads(answer)["id"]) == (422, "invalid_params")
    assert "no such field" in json.loads(answer)["message"]
    body = json.dumps({"is_operator": False, "id": "x"}).encode()  # fields of the API, but not of this call
    status, answer = sent(operator, "PATCH", "/account", body, headers)
    assert status == 200, answer
    told, was = json.loads(answer), json.loads(before)
    assert {**told, "updated_at": ""} == {**was, "updated_at": ""}


HEADERS = {
    "a header of 7 KB": ({"X-Much": "x" * 7_000}, {200}),
    "a header of 20 KB": ({"X-Much": "x" * 20_000}, {400, 431}),
    "a token of 7 KB": ({"Authorization": "Bearer " + "x" * 7_000}, {401}),
    "a bad range": ({"Range": "id " + "." * 2_000}, {400}),
    "a Request-Id of 7 KB": ({"Request-Id": ",".join(["0" * 36] * 190)}, {200}),
    "any version 3": ({"Accept": "application/vnd.heroku+json; version=3.whatever-it-is"}, {200}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_nobody_needs_are_refused_and_long_ones_that_clients_send_are_taken(operator: Person, token: str, name: str) -> None:
    given, statuses = HEADERS[name]
    status, answer = sent(operator, "GET", "/apps", None, {"Authorization": f"Bearer {token}", **given})
    assert status in statuses, (status, answer[:200])
    assert status == 200 or is_error(status, answer), answer[:200]


UNREADABLE: dict[str, tuple[str, dict[str, str]]] = {
    "a header of 200 KB": ("/apps", {"X-Much": "x" * 200_000}),
    "2,000 headers": ("/apps", {f"X-{number}": "x" for number in range(2_000)}),
    "a line of 100 KB": ("/apps/" + "x" * 100_000, {}),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_the_router_cannot_hold_is_refused_in_its_own_words(operator: Person, token: str, name: str) -> None:
    """HAProxy 2.6 answers what it cannot parse with words that are compiled in: neither `http-error` nor `errorfile` reaches them."""
    path, headers = UNREADABLE[name]
    assert sent(operator, "GET", path, None, {"Authorization": f"Bearer {token}", **headers})[0] in (400, 414, 431)


def test_what_is_no_http_at_all_ends_the_connection(operator: Person) -> None:
    for words in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b"\r\n" * 10_000):
        with socket.create_connection(("localhost", operator.copy.port), timeout=30) as connection:
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer
    assert operator.copy.visit("localhost", "/senryu/health").status == 200
