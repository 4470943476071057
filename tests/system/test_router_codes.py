"""Every H code from its real cause on a whole platform with Heroku's own times: what the visitor gets, and what `senryu logs` says.

The slow ones (H12 30 s, H15 and H28 55 s, H20 75 s, H99 after that) run beside one another. A router that is replaced lets its connections
go on for an hour before H24; here for a second, which is written into its file. H16 and H23 are retired at Heroku; H82 is in
test_sleep.py; H31 to H33 and H83 are of things that are not here.
Source: Dev Center, error-codes.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from .ill_mannered import FILES, head, speak
from .person import App, Person, new_app
from .rig import Copy, eventually

DEAF = {"app.py": "import time\ntime.sleep(1000)\n", "requirements.txt": "", "Procfile": "web: python app.py\n"}
CRASHING = {"app.py": "raise SystemExit(3)\n", "requirements.txt": "", "Procfile": "web: python app.py\n"}
LEAVES_SENRYUD_S = 8.0  # how long senryud has to go between H20 and H99
PAGE = b"<h1>Application error</h1>"
UNROUTED = "dyno= connect= service= status=503 bytes= protocol=http"
DYNO = r"dyno=web\.1 connect=\d+ms service=\d+ms"


@dataclass(frozen=True)
class Told:
    """A code: whose log tells it, what its line is like, what the visitor got. An empty answer: the connection was closed."""

    app: str
    line: str
    status: bytes = b"503"
    page: bytes = PAGE


CODES = {
    "H10": Told("crashing", rf'at=error code=H10 desc="App crashed" method=GET path="/" .* {UNROUTED}'),
    "H11": Told("edge", rf'at=error code=H11 desc="Backlog too deep" method=GET path="/silent" .* {UNROUTED}'),
    "H12": Told("bad", r'at=error code=H12 desc="Request timeout" method=GET path="/silent" .* service=3\d{4}ms status=503 bytes=0 '),
    "H13": Told("bad", rf'at=error code=H13 desc="Connection closed without response" .*path="/close" .* {DYNO} status=503 bytes=0 '),
    "H14": Told("bad", rf'at=error code=H14 desc="No web processes running" method=GET path="/none" .* {UNROUTED}'),
    "H15": Told("bad", r'at=error code=H15 desc="Idle connection" .*path="/stall" .* service=5\d{4}ms status=503 ', b"200", b"abc"),
    "H17": Told("bad", rf'at=error code=H17 desc="Poorly formatted HTTP response" .*path="/garbage" .* {DYNO} status=503 bytes=0 '),
    # Heroku says H25 to this one; here HAProxy drops it before any rule sees it (decisions/0030).
    "H17 too": Told("bad", rf'at=error code=H17 desc="Poorly formatted HTTP response" .*path="/two-lengths" .* {DYNO} status=503 bytes=0 '),
    "H18": Told("bad", rf'sock=backend at=error code=H18 desc="Server Request Interrupted" .* {DYNO} status=503 ', b"200", b"abc"),
    "H19": Told("edge", r'at=error code=H19 desc="Backend connection timeout" .* dyno=web\.1 connect=.* status=503 bytes=0 '),
    "H20": Told("deaf", rf'at=error code=H20 desc="App boot timeout" method=GET path="/late" .* {UNROUTED}'),
    "H21": Told("bad", r'at=error code=H21 desc="Backend connection refused" .* dyno=web\.1 connect=.* status=503 bytes=0 '),
    "H22": Told("deaf", rf'at=error code=H22 desc="Connection limit reached" method=GET path="/held" .* {UNROUTED}'),
    "H24": Told("bad", r'at=error code=H24 desc="Forced close" method=GET path="/stall" .* dyno=web\.1 .* status= bytes=', b"200", b"abc"),
    "H25": Told("bad", rf'at=error code=H25 desc="HTTP restriction: oversized cookie" .* {DYNO} status=502 ', b"502"),
    "H25 too": Told("bad", rf'at=error code=H25 desc="HTTP restriction: oversized status line" .* {DYNO} status=502 ', b"502"),
    "H26": Told("bad", r'code=H26 desc="Request Error" cause="unsupported expect .* connect= service= status=417 bytes= ', b"417", b""),
    "H26 too": Told("bad", r'code=H26 desc="Request Error" cause="bad header" .* dyno= connect= service= status=400 bytes= ', b"400", b""),
    "H26 also": Told("bad", rf'code=H26 desc="Request Error" cause="bad chunk" .* {DYNO} status=400 ', b"400", b""),
    "H27": Told("bad", rf'sock=client at=warning code=H27 desc="Client Request Interrupted" .* {DYNO} status=499 ', b"200", b"abc"),
    "H28": Told("bad", r'at=warning code=H28 desc="Client Connection Idle" method=POST path="/small" .* status=499 ', b"4", b""),
    # Larger than what the router reads itself: the dyno has its beginning, and the time to its first byte runs.
    "H28 too": Told("bad", r'at=warning code=H28 .* path="/upload" .* service=3\d{4}ms status=499 ', b"503"),
    "H80": Told("crashing", rf'at=info code=H80 desc="Maintenance mode" .* {UNROUTED}', page=b"<h1>Offline for maintenance</h1>"),
    "H81": Told("blank", rf'at=info code=H81 desc="Blank app" method=GET path="/" .* {UNROUTED}', page=b"<h1>Nothing here yet</h1>"),
    "H99": Told("deaf", rf'at=error code=H99 desc="Platform error" method=GET path="/lost" .* {UNROUTED}'),
}  # fmt: skip


@dataclass
class Provoked:
    """What visitors got by code, and the apps' logs by name."""

    answers: dict[str, bytes] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def provoked(operator: Person, platform: Copy) -> Iterator[Provoked]:
    """Provokes everything once."""
    with ExitStack() as stack:
        names = {"bad": FILES, "edge": FILES, "deaf": DEAF, "crashing": CRASHING, "blank": FILES}
        apps = {name: stack.enter_context(new_app(operator, files)) for name, files in names.items()}
        closed = _forced_close(platform, apps["bad"])
        pushing = apps["deaf"].pushing()
        stack.callback(pushing.communicate, timeout=120)
        visitors = stack.enter_context(ThreadPoolExecutor(16))
        seen = _provoke(platform, apps, visitors)
        seen.answers["H24"] = closed
        yield seen


def _provoke(platform: Copy, apps: dict[str, App], visitors: ThreadPoolExecutor) -> Provoked:
    host = {name: f"{app.name}.localhost" for name, app in apps.items()}
    later: dict[str, Future[bytes]] = {}
    seen = Provoked()

    def visit(app: str, path: str, *headers: str) -> bytes:
        return speak(platform, head(host[app], f"GET {path} HTTP/1.1", *headers))

    for name in ("edge", "crashing"):
        apps[name].push(check=False)
    eventually(lambda: apps["deaf"].states() == {"web.1": "starting"}, "the start of the deaf app")
    seen.answers["H22"] = _above(platform, head(host["deaf"], "GET /held HTTP/1.1"), 1000)
    later["H20"] = visitors.submit(visit, "deaf", "/late")
    time.sleep(LEAVES_SENRYUD_S)
    later["H99"] = visitors.submit(visit, "deaf", "/lost")
    _begin_slow(platform, host["bad"], visitors.submit, later)
    _at_once(platform, apps, host, visit, seen)
    # Whoever is slow at the app that is to refuse has come to its dyno, and stays there.
    apps["bad"].logged("app[web.1]: silent")
    apps["bad"].logged("app[web.1]: uploading")
    visit("bad", "/refuse")
    seen.answers["H21"] = visit("bad", "/")
    for code in ("H12", "H15", "H28", "H28 too", "H20"):
        seen.answers[code] = later[code].result(120)
    platform.sv("-w", "10", "down", "senryud")
    try:
        seen.answers["H99"] = later["H99"].result(60)
    finally:
        platform.sv("up", "senryud")
        platform.await_health()
    apps["bad"].senryu("ps:scale", "web=0")
    eventually(lambda: not apps["bad"].states(), "no dynos", within_s=60)
    seen.answers["H14"] = visit("bad", "/none")
    for code, told in CODES.items():
        apps[told.app].logged(f"code={code[:3]} ", within_s=20)
    seen.logs = {name: app.log() for name, app in apps.items()}
    return seen


def _forced_close(platform: Copy, app: App) -> bytes:
    """The router is replaced while a visitor has half an answer. Before anybody else is under way, or they would be cut off as well."""
    app.push()
    [dyno] = app.dynos().values()
    file = platform.home / "router/haproxy.cfg"
    eventually(lambda: dyno["id"] in file.read_text(), "the saved route")
    [hour] = re.findall(r"hard-stop-after \S+", file.read_text())
    file.write_text(file.read_text().replace(hour, "hard-stop-after 1s"))
    platform.replace_haproxy()
    file.write_text(file.read_text().replace("hard-stop-after 1s", hour))
    with socket.create_connection(("127.0.0.1", platform.port), timeout=60) as connection:
        connection.sendall(head(f"{app.name}.localhost", "GET /stall HTTP/1.1"))
        begun = connection.recv(65536)
        platform.replace_haproxy()
        return begun + b"".join(iter(lambda: connection.recv(65536), b""))


def _begin_slow(platform: Copy, host: str, submit: Callable[..., Future[bytes]], later: dict[str, Future[bytes]]) -> None:
    later["H12"] = submit(speak, platform, head(host, "GET /silent HTTP/1.1"))
    later["H15"] = submit(speak, platform, head(host, "GET /stall HTTP/1.1"))
    later["H28"] = submit(speak, platform, head(host, "POST /small HTTP/1.1", "Content-Length: 100"), b"abc")
    later["H28 too"] = submit(speak, platform, head(host, "POST /upload HTTP/1.1", "Content-Length: 100000"), b"abc")


def _at_once(platform: Copy, apps: dict[str, App], host: dict[str, str], visit: Callable[..., bytes], seen: Provoked) -> None:
    bad = host["bad"]
    seen.answers |= {
        "H11": _above(platform, head(host["edge"], "GET /silent HTTP/1.1"), 250),
        "H13": visit("bad", "/close"),
        "H17": visit("bad", "/garbage"),
        "H17 too": visit("bad", "/two-lengths"),
        "H18": visit("bad", "/half"),
        "H25": visit("bad", "/cookie"),
        "H25 too": visit("bad", "/status-line"),
        "H26": visit("bad", "/", "Expect: the-worst"),
        "H26 too": visit("bad", "/", "X-Long: " + "x" * 8192),
        "H26 also": _bad_chunk(platform, apps["bad"], bad),
        "H27": speak(platform, head(bad, "GET /flow HTTP/1.1"), leave_after=b"abc"),
        "H81": visit("blank", "/"),
    }
    visit("edge", "/fall-deaf")
    apps["edge"].logged("app[web.1]: deaf")
    # No GET: the connection that was kept from the visit before would still be served.
    seen.answers["H19"] = speak(platform, head(host["edge"], "POST / HTTP/1.1", "Content-Length: 0"))
    eventually(lambda: b"HTTP/1.1 503" in visit("crashing", "/"), "the second crash")
    seen.answers["H10"] = visit("crashing", "/")
    apps["crashing"].senryu("maintenance:on")
    eventually(lambda: b"Offline" in visit("crashing", "/"), "maintenance")
    seen.answers["H80"] = visit("crashing", "/")


def _bad_chunk(platform: Copy, app: App, host: str) -> bytes:
    """The body goes wrong once its beginning has reached the dyno."""
    with socket.create_connection(("127.0.0.1", platform.port), timeout=30) as connection:
        connection.sendall(head(host, "POST /upload HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        app.logged("app[web.1]: uploading")
        connection.sendall(b"xyz\r\n")
        return connection.recv(65536)


def _above(platform: Copy, request: bytes, limit: int) -> bytes:
    """What a visitor gets when `limit` others wait already; all leave then."""
    with ExitStack() as stack:
        for _ in range(limit + 1):
            waiting = stack.enter_context(socket.create_connection(("127.0.0.1", platform.port), timeout=60))
            waiting.sendall(request)
        return speak(platform, request)


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_seen_by_its_visitor_and_told_in_the_apps_log(provoked: Provoked, code: str) -> None:
    told = CODES[code]
    answer = provoked.answers[code]
    assert answer.startswith(b"HTTP/1.1 " + told.status), answer[:300]
    assert told.page in answer
    lines = [line.partition("heroku[router]: ")[2] for line in provoked.logs[told.app].splitlines() if f"code={code[:3]} " in line]
    assert any(re.match(rf"(.* )?{told.line}", line) for line in lines), lines[-5:]
