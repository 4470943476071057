"""The Platform API over one kept-alive connection.

Source: https://devcenter.heroku.com/articles/platform-api-reference
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from senryu import __version__
from senryu.cli.failure import API, Failure, Refusal
from senryu.cli.platform_url import CONNECT_TIMEOUT_S, PlatformUrl, connect, platform_url

ANSWER_TIMEOUT_S = 60.0
IDLE_S = 3.0
PAGES_MAX = 1000
ACCEPT = "application/vnd.heroku+json; version=3"
TWO_FACTOR = "Heroku-Two-Factor-Code"
AGENT = f"senryu-cli/{__version__}"


def tls_context(authority: str | None = None) -> ssl.SSLContext:
    """Verifies against the machine's authorities (SSL_CERT_FILE is honoured) and, when given, one more in PEM."""
    context = ssl.create_default_context()
    if authority:
        context.load_verify_locations(cadata=authority)
    return context


class Connection(http.client.HTTPConnection):
    """HTTP/1.1 to an http or https host; `*.localhost` is this machine."""

    def __init__(self, url: PlatformUrl, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        super().__init__(url.host, url.port, timeout=timeout_s)
        self.url = url
        self.answer_timeout_s = timeout_s

    def connect(self) -> None:
        """Raises OSError."""
        sock = connect(self.url.host, self.url.port, CONNECT_TIMEOUT_S)
        if self.url.scheme == "https":
            sock = tls_context().wrap_socket(sock, server_hostname=self.url.host)
        sock.settimeout(self.answer_timeout_s)
        self.sock = sock


class Answer:
    """Status, headers and body of one answer."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        """The body; None when it is empty or no JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


def path_of(*segments: str) -> str:
    """`/apps/a%20b` of the segments."""
    return "".join(f"/{quote(segment, safe='~@')}" for segment in segments)


class PlatformApi:
    """Calls of one account. Every method raises `Refusal` for an error answer and `Failure` when nobody answers."""

    def __init__(self, url: PlatformUrl | None = None, token: str | None = None) -> None:
        self.url = url or platform_url()
        self.token = token if token is not None else stored_token(self.url)
        self._connection: Connection | None = None
        self._used_at = 0.0

    def __enter__(self) -> PlatformApi:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        if self._connection:
            self._connection.close()

    def get(self, path: str, *, range: str | None = None) -> Any:
        """One page."""
        return self.call("GET", path, headers={"Range": range} if range is not None else {}).json

    def pages(self, path: str) -> list[Any]:
        """All pages of a list."""
        items: list[Any] = []
        headers: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            answer = self.call("GET", path, headers=headers)
            items += answer.json or []
            following = answer.headers.get("Next-Range")
            if not following:
                break
            headers = {"Range": following}
        return items

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body).json

    def patch(self, path: str, body: Any) -> Any:
        return self.call("PATCH", path, body).json

    def put(self, path: str, body: Any, *, range: str | None = None) -> Any:
        return self.call("PUT", path, body, {"Range": range} if range is not None else {}).json

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path).json

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One call with the account's token, unless `headers` bring an Authorization of their own (empty: none)."""
        sent = {"Accept": ACCEPT, "User-Agent": AGENT, **(headers or {})}
        if "Authorization" not in sent:
            if not self.token:
                raise Failure(f"Not logged in to {self.url}", hint="Run `senryu login`, or set SENRYU_API_KEY", status=API)
            sent["Authorization"] = f"Bearer {self.token}"
        if not sent["Authorization"]:
            del sent["Authorization"]
        payload = None if body is None else json.dumps(body).encode()
        if payload is not None:
            sent["Content-Type"] = "application/json"
        answer = self._exchange(method, path, payload, sent)
        _show_warnings(answer)
        if answer.status >= 400:
            _refuse(answer, method, f"{self.url}{path}")
        return answer

    def certificate_authority(self) -> str | None:
        """The platform's own certificate authority in PEM, or None where there is none (then it is no Senryu)."""
        answer = self._exchange("GET", "/senryu/ca.pem", None, {"User-Agent": AGENT})
        return answer.body.decode("ascii", "replace") if answer.status == 200 else None

    def _exchange(self, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> Answer:
        try:
            connection = self._open()
            # The platform does what has the same id once, however often it comes.
            headers = {"Request-Id": os.urandom(16).hex(), **headers}
            try:
                return self._send(connection, method, path, payload, headers)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # The server closed an idle connection just as it was used, or went away in the middle.
                connection.close()
            return self._send(connection, method, path, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            unreachable(self.url, error)

    def _open(self) -> Connection:
        if self._connection is None or time.monotonic() - self._used_at > IDLE_S:
            self.close()
            self._connection = Connection(self.url)
        assert self._connection is not None
        return self._connection

    def _send(self, connection: Connection, method: str, path: str, payload: bytes | None, headers: dict[str, str]) -> Answer:
        connection.request(method, path, payload, headers)
        response = connection.getresponse()
        body = response.read()
        self._used_at = time.monotonic()
        return Answer(response.status, response.headers, body)


def unreachable(url: PlatformUrl, error: Exception) -> NoReturn:
    """Raises `Failure` that says where the platform was looked for and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted ({error.verify_message})"
        hint = "Set SSL_CERT_FILE to the platform's certificate authority (it serves it as /senryu/ca.pem)"
    else:
        why = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
        where = f"SENRYU_URL is {url}" if os.environ.get("SENRYU_URL") else f"SENRYU_URL is not set, so {url} was tried"
        hint = f"{where}. Start the platform with `./quickstart`, or set SENRYU_URL to where it is"
    raise Failure(f"Could not reach the platform at {url}: {why}", hint=hint, status=API) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "it closed the connection" if isinstance(error, http.client.RemoteDisconnected) else str(error) or "no HTTP answer"


def stored_token(url: PlatformUrl) -> str | None:
    """SENRYU_API_KEY, else the netrc entry of the platform."""
    key = os.environ.get("SENRYU_API_KEY")
    if key:
        return key
    from senryu.cli import netrc

    found = netrc.credentials(url.machine)
    return found[1] if found else None


def _show_warnings(answer: Answer) -> None:
    text = answer.headers.get("X-Heroku-Warning") or answer.headers.get("Warning-Message")
    if text:
        from senryu.cli.output import warn

        warn(text.removeprefix("warning:").strip())


def _refuse(answer: Answer, method: str, where: str) -> NoReturn:
    """Raises `Refusal` with the platform's own sentence and a hint for the usual cases."""
    body = answer.json if isinstance(answer.json, dict) else {}
    message, id = str(body.get("message") or ""), str(body.get("id") or "")
    if not message:
        message = f"The platform answered {answer.status} to {method} {where}" + (f" ({id})" if id else "")
    raise Refusal(message.strip(), code=answer.status, id=id, hint=_hint(answer, body))


def _hint(answer: Answer, body: dict[str, Any]) -> str | None:
    if answer.status == 401:
        if os.environ.get("SENRYU_API_KEY"):
            return "The token in SENRYU_API_KEY is not valid; unset it or replace it"
        return "Run `senryu login`"
    if answer.status == 429:
        return "The token's calls for this hour are used up; they come back at 75 a minute"
    if body.get("url"):
        return f"See {body['url']}"
    if answer.status >= 500:
        return f"Request id: {answer.headers.get('Request-Id', 'none')}; the operator finds it in the platform's log"
    return None


def open_stream(url: str, headers: dict[str, str], timeout_s: float) -> http.client.HTTPResponse:
    """GETs an address that carries its own authority (log or output stream). Raises OSError, HTTPException."""
    parts = urlsplit(url)
    connection = Connection(PlatformUrl(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"), timeout_s)
    connection.request("GET", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", headers={"User-Agent": AGENT, **headers})
    return connection.getresponse()
