"""login, logout, auth:whoami, auth:token, register.

Source: https://devcenter.heroku.com/articles/authentication
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode

from senryu.cli import netrc
from senryu.cli.arguments import Command, Flag, Typed
from senryu.cli.failure import Failure, Refusal
from senryu.cli.output import ask, note, say, warn
from senryu.cli.platform_api import TWO_FACTOR, Answer, PlatformApi, path_of, stored_token
from senryu.cli.platform_url import PlatformUrl, platform_url

NOT_LOGGED_IN = 100
PASSWORD_MAX_BYTES = 4096


def words_from_stdin() -> tuple[str, str]:
    """The first line of standard input, a password or code, and the second, empty when there is none. Raises Failure for nothing."""
    word, _, second = sys.stdin.buffer.read(PASSWORD_MAX_BYTES).decode("utf-8", "replace").partition("\n")
    if not word.rstrip("\r"):
        raise Failure("The password on standard input is empty", hint="For example: `senryu login --email … --password-stdin < file`")
    return word.rstrip("\r"), second.strip()


def ask_password(question: str = "Password: ") -> str:
    """A password that somebody types unseen. Raises Failure when nobody is there."""
    from getpass import getpass

    if not sys.stdin.isatty():
        raise Failure("Nobody is here to type a password", hint="Add `--password-stdin` and send it on standard input")
    return getpass(question, sys.stderr)


def _email(typed: Typed) -> str:
    email = typed.text("email") or ask("Email: ")
    if not email:
        raise Failure("No e-mail address was given", hint="Add `--email you@example.com --password-stdin`")
    if "@" not in email or any(letter.isspace() for letter in email) or ":" in email:
        raise Failure(f"`{email}` is no e-mail address")
    return email


def _refuse_with_key() -> None:
    if os.environ.get("SENRYU_API_KEY"):
        raise Failure("SENRYU_API_KEY is set, and it beats any login", hint="Unset it first: `unset SENRYU_API_KEY`")


def _keep(url: PlatformUrl, email: str, token: str) -> None:
    netrc.write(netrc.with_entry(netrc.read(), url.machine, email, token))
    note(f"Logged in as {email}")


def _log_in(url: PlatformUrl, email: str, password: str, expires_in: int | None = None, code: str = "") -> None:
    """Fetches a token for the password, and the code of a second factor when it is asked for, and keeps it in the netrc file."""
    import socket

    ticket = b64encode(f"{email}:{password}".encode()).decode()
    body: dict[str, object] = {"description": f"Senryu CLI login from {socket.gethostname()}", "scope": ["global"]}
    if expires_in:
        body["expires_in"] = expires_in
    headers = {"Authorization": f"Basic {ticket}"}
    with PlatformApi(url, "") as api:
        try:
            answer = _authorize(api, body, headers, code).json
        except Refusal as refusal:
            if refusal.code == 401:
                refusal.hint = f"Check the address and the password for {url}, or `senryu register` for an account"
            raise
    _keep(url, answer.get("user", {}).get("email") or email, answer["access_token"]["token"])


def _authorize(api: PlatformApi, body: dict[str, object], headers: dict[str, str], code: str) -> Answer:
    try:
        return api.call("POST", "/oauth/authorizations", body, headers)
    except Refusal as refusal:
        if refusal.id != "two_factor":
            raise
    from senryu.cli.two_factor import ask_code

    return api.call("POST", "/oauth/authorizations", body, {**headers, TWO_FACTOR: code or ask_code()})


def _login(typed: Typed) -> None:
    _refuse_with_key()
    url = platform_url()
    if not typed.text("email") and sys.stdin.isatty():
        note(f"Enter your login credentials for {url}")
    email = _email(typed)
    password, code = words_from_stdin() if typed.on("password-stdin") else (ask_password(), "")
    _log_in(url, email, password, typed.number("expires-in", 0) or None, code)


def _register(typed: Typed) -> None:
    _refuse_with_key()
    url = platform_url()
    email = _email(typed)
    if typed.on("password-stdin"):
        password = words_from_stdin()[0]
    else:
        password = ask_password()
        if ask_password("Password again: ") != password:
            raise Failure("The two passwords differ, so no account was created")
    asked = {"email": email, "password": password, "name": typed.text("name"), "invitation": typed.text("invitation")}
    with PlatformApi(url, "") as api:
        try:
            body = {key: value for key, value in asked.items() if value is not None}
            made = api.call("POST", "/senryu/registrations", body, {"Authorization": ""}).json or {}
        except Refusal as refusal:
            if refusal.code == 403:
                refusal.hint = f"Ask the operator of {url} to open registration, or for an invitation (`--invitation CODE`)"
            raise
    note(f"Created the account {email}")
    token = (made.get("access_token") or {}).get("token")
    if token:
        _keep(url, made.get("email") or email, token)
    else:
        _log_in(url, email, password)


def _logout(typed: Typed) -> None:
    url = platform_url()
    token = stored_token(url)
    if token and not os.environ.get("SENRYU_API_KEY"):
        _revoke(url, token)
    kept = netrc.read()
    if netrc.credentials(url.machine):
        netrc.write(netrc.without_entry(kept, url.machine))
    if os.environ.get("SENRYU_API_KEY"):
        warn("SENRYU_API_KEY is still set and keeps you logged in")
    note("Local credentials cleared")


def _revoke(url: PlatformUrl, token: str) -> None:
    """Ends the token's authorization on the platform; a platform that cannot be reached does not keep the user logged in."""
    try:
        with PlatformApi(url, token) as api:
            for authorization in api.pages("/oauth/authorizations"):
                if _is_same((authorization.get("access_token") or {}).get("token") or "", token):
                    api.delete(path_of("oauth", "authorizations", authorization["id"]))
    except Failure as failure:
        if getattr(failure, "code", 0) != 401:
            warn(f"The token could not be revoked: {failure.message}")


def _is_same(shown: str, token: str) -> bool:
    """Lists may mask a token as its first letters, ten asterisks and its last letters."""
    start, mask, end = shown.partition("*" * 10)
    return shown == token or bool(mask and len(start) + len(end) >= 8 and token.startswith(start) and token.endswith(end.strip("*")))


def _whoami(typed: Typed) -> int:
    if os.environ.get("SENRYU_API_KEY"):
        warn("SENRYU_API_KEY is set")
    with PlatformApi() as api:
        if not api.token:
            raise Failure("not logged in", hint="Run `senryu login`", status=NOT_LOGGED_IN)
        try:
            say(api.get("/account")["email"])
        except Refusal as refusal:
            if refusal.code == 401:
                refusal.status = NOT_LOGGED_IN
            raise
    return 0


def _token(typed: Typed) -> None:
    token = stored_token(platform_url())
    if not token:
        raise Failure("not logged in", hint="Run `senryu login`", status=NOT_LOGGED_IN)
    say(token)


EMAIL = Flag("email", "e", "EMAIL", "e-mail address of the account")
PASSWORD = Flag("password-stdin", "", "", "read the password from standard input (a two-factor code on the second line)")
INTERACTIVE = Flag("interactive", "i", "", "ask for e-mail address and password (always so here)")
TOPIC = {
    "auth:login": Command(
        _login, "", (EMAIL, PASSWORD, INTERACTIVE, Flag("expires-in", "", "SECONDS", "how long the token lives")),
        examples=("login", "login --email you@example.com --password-stdin < password.txt"),
    ),
    "auth:logout": Command(_logout),
    "auth:whoami": Command(_whoami),
    "auth:token": Command(_token),
    "register": Command(
        _register, "", (EMAIL, PASSWORD, Flag("name", "n", "NAME", "your name"), Flag("invitation", "", "CODE", "code of an invitation"))
    ),
}  # fmt: skip
