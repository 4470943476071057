"""Runs built-in buildpacks the way the builder does, and the compiled app the way a dyno does.

Real tools on a copied app directory, no container and no root.
Source: https://devcenter.heroku.com/articles/buildpack-api
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPILE_TIMEOUT_S = 240
BOOT_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
DEVELOPMENT_TOOLS = Path(sys.executable).parent
PASSED_THROUGH = ("SSL_CERT_FILE", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "NODE_EXTRA_CA_CERTS")

# What a dyno does before its command: every profile script, then the command through a shell.
START = 'cd "$HOME"; for f in .profile.d/*.sh; do [ -e "$f" ] && . "$f"; done; exec /bin/bash -c "$0"'


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status code, headers, raw body (never decompressed)."""

    status: int
    headers: Message
    body: bytes


@dataclass(slots=True)
class RunningApp:
    """A compiled app listening on a loopback port."""

    port: int
    process: subprocess.Popen[bytes]
    output: Path

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Ask the app without following redirects; an error status is an answer, not an exception."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=dict(headers or {}), method=method)
        opener = urllib.request.build_opener(_StayHere, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def terminate(self) -> int:
        """SIGTERM to the whole process group, as a dyno gets it; gives the exit status."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(timeout=STOP_TIMEOUT_S)


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(slots=True)
class BuildpackRun:
    """One app directory with its cache and config, built by one buildpack as often as wanted."""

    buildpack: Path
    app: Path
    cache: Path
    env_dir: Path
    home: Path
    config: dict[str, str] = field(default_factory=dict)

    def detect(self) -> subprocess.CompletedProcess[str]:
        return self._run("detect", self.app)

    def compile(self, **extra: str) -> subprocess.CompletedProcess[str]:
        """Compile with the config vars as files; ``extra`` goes into the builder's own environment."""
        shutil.rmtree(self.env_dir, ignore_errors=True)
        self.env_dir.mkdir()
        for name, value in self.config.items():
            (self.env_dir / name).write_text(value)
        return self._run("compile", self.app, self.cache, self.env_dir, **extra)

    def release(self) -> subprocess.CompletedProcess[str]:
        return self._run("release", self.app)

    def replace_app(self, source: Path) -> None:
        """Lay a fresh checkout, as the next push does; the cache stays."""
        shutil.rmtree(self.app)
        shutil.copytree(source, self.app, symlinks=True)

    @contextmanager
    def started(self, command: str, **config: str) -> Iterator[RunningApp]:
        """Start a command of the compiled app with the profile scripts sourced; wait for its port."""
        port = free_port()
        output = self.home / f"output-{port}.log"
        environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.app), **config}
        with output.open("wb") as log:
            process = subprocess.Popen(
                ["/bin/bash", "-c", START, command],
                env={**environ, "PORT": str(port), "DYNO": "web.1"},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            _wait_for_port(port, process, output)
            yield RunningApp(port, process, output)
        finally:
            _end_group(process)

    def _run(self, step: str, *arguments: Path, **extra: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": f"/opt/senryu/tools/bin:/usr/local/bin:/usr/bin:/bin:{self.home / 'tools'}",
            "HOME": str(self.app),
            "STACK": "host",
            "TMPDIR": "/tmp",
            "LANG": "C.UTF-8",
            **{name: os.environ[name] for name in PASSED_THROUGH if name in os.environ},
            **extra,
        }
        return subprocess.run(
            [str(self.buildpack / "bin" / step), *map(str, arguments)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMPILE_TIMEOUT_S,
            check=False,
            cwd=self.home,
        )


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"the app never listened on its port:\n{output.read_text()}")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(timeout=STOP_TIMEOUT_S)


BuildpackRunner = Callable[[str, Path | Mapping[str, str]], BuildpackRun]


@pytest.fixture
def buildpack_run(tmp_path: Path) -> Iterator[BuildpackRunner]:
    """``buildpack_run("python", source)``: a fresh copy of the app, an empty cache, no config.

    ``source`` is a directory (an example) or a mapping of file name to text. The buildpack
    directory is copied too, because a buildpack writes its ``export`` file beside ``bin``.
    """
    with ExitStack() as stack:
        yield lambda name, source: _prepare(tmp_path / f"{name}-run", name, source, stack)


def _prepare(place: Path, name: str, source: Path | Mapping[str, str], stack: ExitStack) -> BuildpackRun:
    place.mkdir(parents=True)
    app, buildpack, tools = place / "app", place / "buildpack", place / "tools"
    shutil.copytree(ROOT / "buildpacks" / name, buildpack, symlinks=True)
    if isinstance(source, Path):
        shutil.copytree(source, app, symlinks=True)
    else:
        write_tree(app, source)
    tools.mkdir()
    for tool in ("uv", "uvx"):
        if (DEVELOPMENT_TOOLS / tool).exists():
            (tools / tool).symlink_to(DEVELOPMENT_TOOLS / tool)
    (place / "cache").mkdir()
    stack.callback(shutil.rmtree, place, ignore_errors=True)
    return BuildpackRun(buildpack, app, place / "cache", place / "env", place)


def write_tree(folder: Path, files: Mapping[str, str]) -> None:
    """Write text files below a folder; names may contain slashes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here builds real apps; only the pure tables among it belong to the fast tests."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.name != "test_nodejs_semver.py":
            item.add_marker(pytest.mark.runtimes)
