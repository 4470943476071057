from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from .fake_api import EMAIL, TOKEN, FakeApi, app
from .terminal import Terminal

GRANT = {"id": "a1", "access_token": {"id": "t1", "token": TOKEN}, "user": {"id": "1", "email": EMAIL}}


def test_login_asks_for_address_and_password_and_does_not_show_the_password(stranger: FakeApi, home: Path) -> None:
    stranger.on("POST /oauth/authorizations", GRANT, 201)
    with Terminal("login") as terminal:
        terminal.until(lambda seen: b"Email: " in seen)
        terminal.type(f"{EMAIL}\n".encode())
        terminal.until(lambda seen: b"Password: " in seen)
        terminal.type(b"s3cret\n")
        assert terminal.end() == 0
        assert b"s3cret" not in terminal.seen
    sent = stranger.asked("POST /oauth/authorizations")[0].headers["Authorization"]
    assert sent == "Basic " + b64encode(f"{EMAIL}:s3cret".encode()).decode()
    assert TOKEN in (home / ".netrc").read_text()


def test_register_wants_the_password_twice(stranger: FakeApi) -> None:
    with Terminal("register", "--email", EMAIL) as terminal:
        terminal.until(lambda seen: b"Password: " in seen)
        terminal.type(b"one\n")
        terminal.until(lambda seen: b"Password again: " in seen)
        terminal.type(b"two\n")
        assert terminal.end() == 1
        assert b"The two passwords differ" in terminal.seen
    assert stranger.requests == []


def test_destroy_asks_for_the_name(api: FakeApi) -> None:
    api.on("GET /apps/myapp", app())
    api.on("DELETE /apps/myapp", app())
    for answer, status in ((b"other\n", 1), (b"myapp\n", 0)):
        with Terminal("destroy", "-a", "myapp") as terminal:
            terminal.until(lambda seen: b"To proceed, type myapp" in seen)
            terminal.type(answer)
            assert terminal.end() == status
    assert len(api.asked("DELETE /apps/myapp")) == 1


def test_ctrl_c_at_a_question_ends_with_130(stranger: FakeApi) -> None:
    with Terminal("login") as terminal:
        terminal.until(lambda seen: b"Email: " in seen and terminal.reads())
        terminal.type(b"\x03")
        assert terminal.end() == 130
        assert b"Traceback" not in terminal.seen
