"""Our HAProxy configuration with 1 and with 1,000 apps beside a bare HAProxy with the same backend.

`python bench/router.py [rounds] [backend]`
Bare means its defaults, which keep connections on both sides, and one thread, as ours: with one backend, and with as many as ours has,
chosen by host, without log lines, headers or pages. `CPU` is the proxy's own time for one request, which
other work on the machine disturbs least. What log lines and headers add to an answer's time is looked at apart, at 1,000 requests/s: at
the most a proxy can do, times are those of its queue. Needs wrk (apt-get install wrk). Each round measures every contestant once, in
turn; ratios are of medians over rounds. The backend is an HAProxy that answers by itself, so that the proxy is what runs out first, or an
app that does as little as an app can: `gunicorn` (one worker), `uvicorn` or `node`; `gunicorn-2ms` takes 2 ms of a processor for each
request, as apps that do something do. Load generator, proxy and backend share the machine's two processors.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from open_loop import by_port, open_loop
from stand import print_table

from senryu.core.route import Route, RouteMode, RouteTarget
from senryu.routers.haproxy import HAProxyRouter, RouterSettings, write_start_files
from system.rig import free_ports

SECONDS = 4
CONNECTIONS = 64
STEADY_PER_S = 1000
APPS = 1000
BARE_APPS = f"bare HAProxy, {APPS:,} apps by host"
BODY = "x" * 1024

_COMMON = """\
global
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
"""


@contextlib.contextmanager
def haproxy(config: Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running HAProxy."""
    with output.open("wb") as log:
        program = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stdout=log, stderr=subprocess.DEVNULL, cwd="/")
        try:
            time.sleep(0.8)
            assert program.poll() is None, f"haproxy did not start from {config}"
            yield program
        finally:
            program.terminate()
            program.wait(20)


_WSGI = """
from time import thread_time

def app(environ, start_response):
    until = thread_time() + {work_ms} / 1000
    while thread_time() < until:
        pass
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1024")])
    return [b"x" * 1024]
"""
_WORKING = re.compile(r"gunicorn-(\d+)ms")
_ASGI = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"1024")]})
    await send({"type": "http.response.body", "body": b"x" * 1024})
"""
_NODE = """
require("http").createServer((_, answer) => answer.end("x".repeat(1024))).listen(Number(process.argv[2]), "127.0.0.1")
"""


def work_ms(kind: str) -> int:
    """Of a processor, that the app takes for a request beside answering."""
    found = _WORKING.fullmatch(kind)
    return int(found[1]) if found else 0


def app(kind: str, folder: Path, port: int) -> list[str]:
    """The command of an app on a port."""
    (folder / "page.py").write_text(_ASGI if kind == "uvicorn" else _WSGI.format(work_ms=work_ms(kind)))
    (folder / "page.js").write_text(_NODE)
    where = ["--chdir", str(folder), "-b", f"127.0.0.1:{port}"]
    return {
        "gunicorn": [
            sys.executable,
            "-m",
            "gunicorn",
            "-w",
            "1",
            "-k",
            "gthread",
            "--threads",
            "4",
            "--keep-alive",
            "60",
            *where,
            "page:app",
        ],
        "uvicorn": [
            sys.executable,
            "-m",
            "uvicorn",
            "--app-dir",
            str(folder),
            "--port",
            str(port),
            "--log-level",
            "error",
            "--lifespan",
            "off",
            "page:app",
        ],
        "node": ["node", str(folder / "page.js"), str(port)],
    }[_WORKING.sub("gunicorn", kind)]


@contextlib.contextmanager
def running_app(kind: str, folder: Path, port: int) -> Iterator[None]:
    """An app that answers."""
    program = subprocess.Popen(
        app(kind, folder, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert program.poll() is None and time.monotonic() < deadline, f"{kind} does not start"
            time.sleep(0.05)
        yield
    finally:
        program.terminate()
        program.wait(20)


def plain(folder: Path, name: str, text: str) -> Path:
    """A configuration file."""
    path = folder / f"{name}.cfg"
    path.write_text(_COMMON + text)
    return path


def backend(port: int) -> str:
    return f'frontend all\n  bind 127.0.0.1:{port}\n  http-request return status 200 content-type text/plain string "{BODY}"\n'


def by_host(port: int, to: str, names: Sequence[str], folder: Path) -> str:
    """The least a proxy can do for so many apps: a backend for each, found by its host; all are at the address `to`."""
    hosts = folder / "hosts.map"
    hosts.write_text("".join(f"{name}.localhost be_{name}\n" for name in names))
    backends = "".join(f"backend be_{name}\n  server one {to}\n" for name in names)
    return f"frontend all\n  bind 127.0.0.1:{port}\n  use_backend %[req.hdr(host),host_only,map_str({hosts})]\n{backends}"


def bare(port: int, to: int, *, closes: bool) -> str:
    """The least a proxy can do; `closes` with the connection handling that ours has (a new one to the dyno for each request)."""
    how = "  option http-server-close\n  http-reuse never\n" if closes else ""
    return f"{how}frontend all\n  bind 127.0.0.1:{port}\n  default_backend one\nbackend one\n  server one 127.0.0.1:{to}\n"


async def routed(settings: RouterSettings, apps: int, to: int) -> None:
    """Gives a running router of ours `apps` apps."""
    async with HAProxyRouter(settings) as router:
        for number in range(apps):
            target = RouteTarget(uuid4(), "web.1", f"127.0.0.1:{to}")
            await router.apply(Route(uuid4(), f"app-{number}", (f"app-{number}.localhost",), RouteMode.SERVE, (target,)))


def cpu_s(pid: int) -> float:
    """Processor seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(port: int, host: str, pid: int) -> tuple[float, float, float, float]:
    """Requests a second, p50 and p99 in milliseconds, and the proxy's processor time for one request in microseconds."""
    before = cpu_s(pid)
    rate, p50, p99 = wrk(f"127.0.0.1:{port}", host)
    return rate, p50, p99, (cpu_s(pid) - before) / (rate * SECONDS) * 1e6


def wrk(place: str, host: str) -> tuple[float, float, float]:
    """Requests a second, and p50 and p99 in milliseconds."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "--timeout", "20s", "-H", f"Host: {host}", f"http://{place}/"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate
    return float(rate[1]), _latency(said, "50%"), _latency(said, "99%")


def steady(port: int, host: str, per_s: int) -> tuple[float, float]:
    """p50 and p99 in milliseconds while the proxy has time to spare."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    answers = asyncio.run(open_loop(by_port(port), [request], per_s, SECONDS, warm_s=1))
    assert not answers.failed, answers.statuses
    return answers.percentile(0.5), answers.percentile(0.99)


def _latency(said: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", said)
    assert found
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


Contestant = tuple[str, int, str, int]  # what, its port, the host to ask it for, its process


def bare_ones(stack: contextlib.ExitStack, folder: Path, kind: str) -> tuple[list[Contestant], int]:
    """HAProxies without us, started, and the port of the backend of all contestants."""
    origin, bare_port, hosts_port, closing_port = free_ports(4)
    proxies = [
        ("bare HAProxy", bare(bare_port, origin, closes=False), bare_port),
        (BARE_APPS, by_host(hosts_port, f"127.0.0.1:{origin}", [f"app-{number}" for number in range(APPS)], folder), hosts_port),
        ("bare HAProxy, a connection per request", bare(closing_port, origin, closes=True), closing_port),
    ]
    if kind == "haproxy":
        proxies.insert(0, ("backend alone", backend(origin), origin))
    else:
        stack.enter_context(running_app(kind, folder, origin))
    found: list[Contestant] = []
    for what, config, port in proxies:
        file = plain(folder, f"port-{port}", config)
        found.append((what, port, f"app-{APPS // 2}.localhost", stack.enter_context(haproxy(file, folder / f"{port}.log")).pid))
    return found, origin


def ours(stack: contextlib.ExitStack, folder: Path, apps: int, origin: int) -> Contestant:
    """Our router with so many apps, started."""
    port, tls_port = free_ports(2)
    home = folder / f"home-{apps}"
    home.mkdir()
    settings = RouterSettings(home=home, port=port, tls_port=tls_port, listen=("127.0.0.1",), slots=max(128, apps))
    write_start_files(settings)
    program = stack.enter_context(haproxy(settings.config, settings.log))
    asyncio.run(routed(settings, apps, origin))
    return f"Senryu's router, {apps:,} app{'s' * (apps > 1)}", port, f"app-{apps // 2}.localhost", program.pid


def main(rounds: int, kind: str) -> None:
    """Prints the tables."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing; apt-get install wrk")
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    calm: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    per_s = min(STEADY_PER_S, 400 // work_ms(kind)) if work_ms(kind) else STEADY_PER_S
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, contextlib.ExitStack() as stack:
        contestants, origin = bare_ones(stack, Path(name), kind)
        contestants += [ours(stack, Path(name), apps, origin) for apps in (1, APPS)]
        for _ in range(rounds):
            for what, port, host, pid in contestants:
                found[what].append(measured(port, host, pid))
        for _ in range(rounds):
            for what, port, host, _pid in contestants:
                calm[what].append(steady(port, host, per_s))
    _print(found, rounds, kind)
    _print_steady(calm, rounds, kind, per_s)


def medians_of(found: Mapping[str, Sequence[tuple[float, ...]]]) -> dict[str, list[float]]:
    """Of each contestant's samples, column by column."""
    return {name: [statistics.median(column) for column in zip(*samples, strict=True)] for name, samples in found.items()}


def _peer(name: str) -> str:
    return BARE_APPS if f"{APPS:,} apps" in name else "bare HAProxy"


def _print_steady(calm: dict[str, list[tuple[float, ...]]], rounds: int, kind: str, per_s: int) -> None:
    medians = medians_of(calm)
    rows = [(name, f"{p50:.2f}", f"{p99:.2f}", f"{p99 - medians[_peer(name)][1]:+.2f}") for name, (p50, p99) in medians.items()]
    title = f"{per_s:,} requests/s before {kind}, {rounds} rounds (target +0.30 ms)"
    print_table(title, ("what", "p50 ms", "p99 ms", "p99 − bare"), rows)


def _print(found: dict[str, list[tuple[float, ...]]], rounds: int, kind: str) -> None:
    medians = medians_of(found)
    rows = []
    for name, (rate, p50, p99, cpu) in medians.items():
        bare_rate, _, _, bare_cpu = medians[_peer(name)]
        rows.append((name, f"{rate:,.0f}", f"{rate / bare_rate:.2f}", f"{p50:.2f}", f"{p99:.2f}", f"{cpu:.1f}", f"{cpu - bare_cpu:+.1f}"))
    head = ("what", "requests/s", "÷ bare of as many apps", "p50 ms", "p99 ms", "CPU µs", "CPU − bare")
    print_table(f"Router before {kind}, {rounds} rounds of {SECONDS} s, {CONNECTIONS} connections (target 0.95)", head, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2] if len(sys.argv) > 2 else "haproxy")
