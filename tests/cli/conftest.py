"""A private HOME, a fake platform, and the command line run inside the test."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from senryu.cli import main

from .fake_api import EMAIL, TOKEN, FakeApi

CHECKOUT = Path(__file__).parents[2]


@dataclass
class Result:
    status: int
    out: str
    err: str


Senryu = Callable[..., Result]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and a working folder outside any repository; nothing of the real user is read or written."""
    folder, work = tmp_path / "home", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    for name in [name for name in os.environ if name.startswith(("SENRYU_", "GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    for name in ("XDG_CONFIG_HOME", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "VISUAL", "EDITOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(work)
    return folder


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """A platform that nobody is logged in to."""
    with FakeApi() as fake:
        monkeypatch.setenv("SENRYU_URL", fake.url)
        yield fake


@pytest.fixture
def api(stranger: FakeApi, home: Path) -> FakeApi:
    """A platform that Ada is logged in to."""
    (home / ".netrc").write_text(f"machine {stranger.machine}\n  login {EMAIL}\n  password {TOKEN}\n")
    (home / ".netrc").chmod(0o600)
    return stranger


@pytest.fixture
def senryu(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Senryu:
    """Runs a command line; `stdin` is what stands on standard input, which is no terminal."""

    def run(*words: str, stdin: str = "") -> Result:
        capfd.readouterr()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main(list(words))
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Result(status, out, err)

    return run


def git(*words: str, cwd: Path | None = None) -> str:
    """What the real git prints."""
    return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


@pytest.fixture
def repository() -> Path:
    """The working folder as a git repository."""
    git("init", "-q", "-b", "main")
    return Path.cwd()
