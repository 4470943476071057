"""A Platform API that answers what it was told to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

TOKEN = "senryu-test-token-0123456789"
EMAIL = "ada@example.com"


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Reply:
    """One answer. `body` of bytes is sent as it is, anything else as JSON; `chunks` are sent one after the other, the connection then ends
    cleanly, or is cut when `cut` is set."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] | None = None
    cut: bool = False


Answer = Reply | Callable[[Request], Reply]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves before it has read everything is no error."""


class FakeApi:
    """Answers are looked up by `METHOD /path`; a list is used up one by one, its last entry stays."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, list[Answer]] = {}
        self.server = _Server(("127.0.0.1", 0), _door(self))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
        self.on("GET /account", {"email": EMAIL, "id": "1"})

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server.server_address[1]}"

    @property
    def machine(self) -> str:
        return self.url.removeprefix("http://")

    def on(self, what: str, body: Any = None, status: int = 200, **more: Any) -> None:
        """The answer to one request line. `body` may be a function of the request."""
        self.answers[what] = [body if callable(body) else Reply(body, status, **more)]

    def then(self, what: str, body: Any = None, status: int = 200, **more: Any) -> None:
        """The next answer to the same request line."""
        self.answers.setdefault(what, []).append(body if callable(body) else Reply(body, status, **more))

    def error(self, what: str, status: int, id: str, message: str) -> None:
        self.on(what, {"id": id, "message": message}, status)

    def asked(self, what: str) -> list[Request]:
        """The requests with this method and path."""
        return [request for request in self.requests if f"{request.method} {request.path}" == what]

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        waiting = self.answers.get(f"{request.method} {request.path}")
        if not waiting:
            return Reply({"id": "not_found", "message": f"Couldn't find {request.path}."}, 404)
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return found if isinstance(found, Reply) else found(request)

    def __enter__(self) -> FakeApi:
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


def _door(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = api.answer(Request(self.command, self.path, dict(self.headers), body))
            raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body if reply.body is not None else {}).encode()
            self.send_response(reply.status)
            for key, value in ({"Content-Type": "application/json"} | reply.headers).items():
                self.send_header(key, value)
            if reply.chunks is not None:
                return self._stream(reply)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
            return None

        def _stream(self, reply: Reply) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in reply.chunks or []:
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.flush()
            if not reply.cut:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    return Door


def app(name: str = "myapp", **more: Any) -> dict[str, Any]:
    """An app as the Platform API shows it."""
    return {
        "id": "01234567-89ab-cdef-0123-456789abcdef",
        "name": name,
        "acm": False,
        "git_url": f"https://localhost:8443/{name}.git",
        "web_url": f"http://{name}.localhost:8080/",
        "maintenance": False,
        "owner": {"id": "1", "email": EMAIL},
        "region": {"id": "2", "name": "local"},
        "stack": {"id": "3", "name": "host"},
        "build_stack": {"id": "3", "name": "host"},
        "repo_size": 2048,
        "slug_size": 5 * 1024 * 1024,
        "create_status": "complete",
    } | more


def release(version: int, **more: Any) -> dict[str, Any]:
    """A release as the Platform API shows it."""
    return {
        "id": f"00000000-0000-0000-0000-{version:012d}",
        "version": version,
        "description": f"Deploy {version:07d}",
        "status": "succeeded",
        "current": False,
        "eligible_for_rollback": True,
        "user": {"id": "1", "email": EMAIL},
        "created_at": "2020-01-02T03:04:05Z",
        "output_stream_url": None,
        "addon_plan_names": [],
    } | more


def dyno(name: str, **more: Any) -> dict[str, Any]:
    """A dyno as the Platform API shows it."""
    return {
        "id": name,
        "name": name,
        "type": name.partition(".")[0],
        "state": "up",
        "size": "Standard-1X",
        "command": "python app.py",
        "updated_at": "2020-01-02T03:04:05Z",
        "release": {"id": "r", "version": 7},
    } | more
