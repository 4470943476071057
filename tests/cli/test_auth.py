from __future__ import annotations

import stat
from base64 import b64encode
from pathlib import Path

import pytest

from .conftest import Senryu
from .fake_api import EMAIL, TOKEN, FakeApi

GRANT = {"id": "a1", "access_token": {"id": "t1", "token": TOKEN}, "user": {"id": "1", "email": EMAIL}}


def test_login_keeps_the_token_in_a_private_netrc(stranger: FakeApi, senryu: Senryu, home: Path) -> None:
    (home / ".netrc").write_text("machine github.com login x password y\n")
    stranger.on("POST /oauth/authorizations", GRANT, 201)
    result = senryu("login", "--email", EMAIL, "--password-stdin", stdin="s3cret pass\n")
    assert (result.status, result.out, result.err) == (0, "", f"Logged in as {EMAIL}\n")
    asked = stranger.asked("POST /oauth/authorizations")[0]
    assert asked.headers["Authorization"] == "Basic " + b64encode(f"{EMAIL}:s3cret pass".encode()).decode()
    assert asked.json["scope"] == ["global"]
    assert (home / ".netrc").read_text() == (
        f"machine github.com login x password y\nmachine {stranger.machine}\n  login {EMAIL}\n  password {TOKEN}\n"
    )
    assert stat.S_IMODE((home / ".netrc").stat().st_mode) == 0o600


def test_a_wrong_password_is_said_and_nothing_is_kept(stranger: FakeApi, senryu: Senryu, home: Path) -> None:
    stranger.error("POST /oauth/authorizations", 401, "unauthorized", "There was a problem with your login.")
    result = senryu("login", "--email", EMAIL, "--password-stdin", stdin="wrong\n")
    assert (result.status, result.err.splitlines()[0]) == (2, "error: There was a problem with your login.")
    assert not (home / ".netrc").exists()


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["--email", EMAIL], "", "Nobody is here to type a password"),
        ([], "", "No e-mail address was given"),
        (["--email", "ada"], "", "`ada` is no e-mail address"),
        (["--email", EMAIL, "--password-stdin"], "", "The password on standard input is empty"),
    ],
)
def test_login_without_a_terminal_says_what_is_missing(
    words: list[str], stdin: str, message: str, stranger: FakeApi, senryu: Senryu
) -> None:
    result = senryu("login", *words, stdin=stdin)
    assert (result.status, result.err.splitlines()[0]) == (1, f"error: {message}")
    assert stranger.requests == []


def test_login_is_refused_while_a_key_is_set(stranger: FakeApi, senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENRYU_API_KEY", "k")
    assert "SENRYU_API_KEY is set" in senryu("login", "--email", EMAIL, "--password-stdin", stdin="x").err


def test_whoami_prints_the_address_and_sends_the_stored_token(api: FakeApi, senryu: Senryu) -> None:
    assert senryu("whoami").out == f"{EMAIL}\n"
    headers = api.asked("GET /account")[0].headers
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Accept"] == "application/vnd.heroku+json; version=3"


def test_the_key_of_the_environment_beats_the_stored_token(api: FakeApi, senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENRYU_API_KEY", "other")
    assert senryu("auth:token").out == "other\n"
    assert "SENRYU_API_KEY is set" in senryu("auth:whoami").err
    assert api.asked("GET /account")[0].headers["Authorization"] == "Bearer other"


@pytest.mark.parametrize("command", ["whoami", "auth:token"])
def test_without_a_login_the_status_is_100(command: str, stranger: FakeApi, senryu: Senryu) -> None:
    result = senryu(command)
    assert (result.status, result.out, result.err) == (100, "", "error: not logged in\nhint: Run `senryu login`\n")


def test_a_token_that_has_gone_is_told_with_the_way_out(api: FakeApi, senryu: Senryu) -> None:
    api.error("GET /users/~/apps", 401, "unauthorized", "Invalid credentials provided.")
    result = senryu("apps")
    assert (result.status, result.err) == (2, "error: Invalid credentials provided.\n  Error ID: unauthorized\nhint: Run `senryu login`\n")


def test_logout_revokes_this_token_only_and_forgets_it(api: FakeApi, senryu: Senryu, home: Path) -> None:
    masked = f"{TOKEN[:6]}{'*' * 10}{TOKEN[-4:]}"
    others = [{"id": "o1", "access_token": {"token": "senryu" + "*" * 10 + "zzzz"}}, {"id": "o2", "access_token": None}]
    api.on("GET /oauth/authorizations", [*others, {"id": "mine", "access_token": {"token": masked}}])
    api.on("DELETE /oauth/authorizations/mine", {})
    assert senryu("logout").status == 0
    assert [request.path for request in api.requests if request.method == "DELETE"] == ["/oauth/authorizations/mine"]
    assert (home / ".netrc").read_text() == ""


def test_logout_forgets_the_token_even_when_the_platform_is_gone(senryu: Senryu, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENRYU_URL", "http://localhost:1")
    (home / ".netrc").write_text("machine localhost:1 login a password b\n")
    result = senryu("logout")
    assert result.status == 0
    assert "could not be revoked" in result.err
    assert (home / ".netrc").read_text() == ""


def test_register_creates_the_account_and_logs_in(stranger: FakeApi, senryu: Senryu, home: Path) -> None:
    stranger.on("POST /senryu/registrations", {"email": EMAIL}, 201)
    stranger.on("POST /oauth/authorizations", GRANT, 201)
    assert senryu("register", "--email", EMAIL, "--name", "Ada", "--password-stdin", stdin="pw pw pw").status == 0
    asked = stranger.asked("POST /senryu/registrations")[0]
    assert asked.json == {"email": EMAIL, "password": "pw pw pw", "name": "Ada"}
    assert "Authorization" not in asked.headers
    assert TOKEN in (home / ".netrc").read_text()


def test_register_says_who_may_open_a_closed_platform(stranger: FakeApi, senryu: Senryu) -> None:
    stranger.error("POST /senryu/registrations", 403, "forbidden", "Registration is closed.")
    result = senryu("register", "--email", EMAIL, "--password-stdin", stdin="pw")
    assert result.status == 2
    assert result.err.startswith("error: Registration is closed.\n  Error ID: forbidden\nhint: Ask the operator")


def test_register_keeps_the_token_that_comes_with_the_account(stranger: FakeApi, senryu: Senryu, home: Path) -> None:
    stranger.on("POST /senryu/registrations", {"email": EMAIL, "access_token": {"token": TOKEN}}, 201)
    assert senryu("register", "--email", EMAIL, "--invitation", "c0de", "--password-stdin", stdin="pw").status == 0
    assert stranger.asked("POST /senryu/registrations")[0].json == {"email": EMAIL, "password": "pw", "invitation": "c0de"}
    assert stranger.asked("POST /oauth/authorizations") == []
    assert TOKEN in (home / ".netrc").read_text()


def test_the_operator_opens_closes_and_invites(api: FakeApi, senryu: Senryu) -> None:
    api.on("PATCH /senryu/registration", {})
    api.on("POST /senryu/invitations", {"invitation": "c0de"}, 201)
    senryu("registration:open")
    senryu("registration:close")
    assert [request.json for request in api.asked("PATCH /senryu/registration")] == [{"open": True}, {"open": False}]
    assert "--email bob@example.com --invitation c0de" in senryu("registration:invite", "bob@example.com").out
