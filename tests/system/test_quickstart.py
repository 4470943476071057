"""`./quickstart` from a fresh clone: a live app, again without a change, two side by side, and nothing left after `--stop`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from below import below

from .rig import CHECKOUT, Answer, Copy, eventually, free_ports
from .traces import kinds, lot_of, traces

pytestmark = pytest.mark.registry
Done = subprocess.CompletedProcess[str]


class Clone:
    """A clone of the repository as somebody has it who just fetched it, with a home and ports of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="senryu-clone-"))
        self.folder.chmod(0o755)
        self.home = Path(tempfile.mkdtemp(prefix=f"senryu-quick-{os.getpid()}-", dir="/var/lib"))
        self.port, tls_port = free_ports(2)  # the rendezvous port is 1000 above the second, out of their range
        subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(self.folder / "senryu")], check=True, timeout=60)
        self.environment = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "SENRYU_HOME": str(self.home),
            "SENRYU_PORT": str(self.port),
            "SENRYU_TLS_PORT": str(tls_port),
            "UV_CACHE_DIR": str(_uv_cache()),
        }

    def quickstart(self, *words: str, check: bool = True) -> Done:
        """The script as a shell would start it."""
        command = ["./quickstart", *words]
        done = subprocess.run(
            command, cwd=self.folder / "senryu", env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def senryu(self, *words: str) -> Done:
        """The command line of the clone."""
        command = [str(self.folder / "senryu/bin/senryu"), *words]
        environment = {**self.environment, "SENRYU_URL": f"http://localhost:{self.port}"}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=True)

    def visit(self, host: str) -> Answer:
        """One request."""
        copy = Copy.__new__(Copy)
        copy.port = self.port
        return copy.visit(host)

    def app(self) -> str:
        """The example's name."""
        return (self.home / "example-app").read_text().strip()

    def remove(self) -> set[str]:
        """Stops everything; gives what is left."""
        lot = lot_of(self.home)
        try:
            self.quickstart("--stop")
        finally:
            left = traces(self.home, lot)
            for folder in (self.home, self.folder):
                shutil.rmtree(folder, ignore_errors=True)
        return left


def _uv_cache() -> Path:
    """Where uv keeps what it fetched: packages are the same for every clone."""
    return Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache/uv")


@pytest.fixture(scope="module")
def clone() -> Iterator[Clone]:
    """A clone with a running platform."""
    made = Clone()
    left = {"unknown"}
    try:
        made.quickstart("--languages", "none")
        yield made
    finally:
        left = made.remove()
    assert not left, f"--stop left behind: {left}"


def files_of(home: Path) -> dict[str, int]:
    """Everything below the home that does not change by itself, with the time of its last change."""
    changing = ("logs", "services", "router", "db", "agent", "run", "streams")
    kept = [path for top in home.iterdir() if top.name not in changing for path in (top, *below(top))]
    return {str(path): path.stat().st_mtime_ns for path in kept if path.exists()}


def test_two_commands_lead_to_a_live_app_and_a_login(clone: Clone) -> None:
    assert clone.visit(clone.app()).text == "Hello from Senryu, release v2\n"
    assert clone.senryu("auth:whoami").stdout == "operator@localhost\n"
    assert clone.app() in clone.senryu("apps").stdout
    assert (clone.folder / ".netrc").stat().st_mode & 0o777 == 0o600
    assert (clone.home / "operator-password").stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing_and_says_everything(clone: Clone) -> None:
    before, releases = files_of(clone.home), clone.senryu("releases", "-a", clone.app()).stdout
    said = clone.quickstart("--languages", "none").stdout
    assert files_of(clone.home) == before
    assert re.sub(r"\(.*?\)", "", clone.senryu("releases", "-a", clone.app()).stdout) == re.sub(r"\(.*?\)", "", releases)
    steps = [line for line in said.splitlines() if line.startswith("----->")]
    assert "-----> Debian packages: all there" in steps
    assert "-----> Platform: running" in steps
    assert not [step for step in steps if "Installing" in step or "Deploying" in step or "Starting" in step]
    first = f"export SENRYU_URL=http://localhost:{clone.port} SENRYU_HOME={clone.home} "
    for text in (f"http://{clone.app()}.localhost:{clone.port}/", "senryu login", "./quickstart --stop", first):
        assert text in said


def test_another_copy_runs_beside_it_and_stops_without_it(clone: Clone) -> None:
    other = Clone()
    left = {"unknown"}
    try:
        other.quickstart("--languages", "none")
        assert other.visit(other.app()).status == clone.visit(clone.app()).status == 200
        assert other.visit(clone.app()).status == 404
        assert lot_of(other.home) != lot_of(clone.home)
        lot = lot_of(other.home)
        assert kinds(traces(other.home, lot)) >= {"process", "link", "nftables", "cgroup", "mount", "loop", "claim"}
        stopped = other.quickstart("--stop").stdout
        assert "./quickstart starts it again" in stopped
        assert not traces(other.home, lot)
        assert clone.visit(clone.app()).status == 200
        assert "Hello" in _started_again(other).text
    finally:
        left = other.remove()
    assert not left, f"--stop left behind: {left}"


def _started_again(clone: Clone) -> Answer:
    """After `--stop`: the app was never told to go, so it comes back."""
    name = clone.app()
    clone.quickstart("--languages", "none")
    assert clone.app() == name
    return eventually(lambda: answer if (answer := clone.visit(name)).status == 200 else None, "the app") or clone.visit(name)


def test_a_taken_port_is_told_in_a_sentence(clone: Clone) -> None:
    beside = {**clone.environment, "SENRYU_HOME": f"{clone.home}-beside"}
    try:
        done = subprocess.run(
            ["./quickstart", "--languages", "none"],
            cwd=clone.folder / "senryu",
            env=beside,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    finally:
        shutil.rmtree(beside["SENRYU_HOME"], ignore_errors=True)
    assert done.returncode == 1
    assert f"Port {clone.port} is taken" in done.stderr


@pytest.mark.parametrize(
    ("environment", "user", "sentence"),
    [
        ({}, "nobody", "Run this as root (sudo ./quickstart): it installs packages"),
        ({"SENRYU_HOME": "here"}, "root", "SENRYU_HOME must be an absolute path; it is here."),
    ],
)
def test_what_it_needs_is_told_in_a_sentence(clone: Clone, environment: dict[str, str], user: str, sentence: str) -> None:
    done = subprocess.run(
        ["setpriv", f"--reuid={user}", "--clear-groups", "./quickstart"],
        cwd=clone.folder / "senryu",
        env={**clone.environment, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stdout == ""


def test_a_stop_where_nothing_runs_does_not_say_that_something_was_stopped(clone: Clone, tmp_path: Path) -> None:
    elsewhere = subprocess.run(
        ["./quickstart", "--stop"],
        cwd=clone.folder / "senryu",
        env={**clone.environment, "SENRYU_HOME": str(tmp_path / "empty")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"There is no platform in {tmp_path}/empty; set SENRYU_HOME" in elsewhere.stdout + elsewhere.stderr
    assert "Stopped" not in elsewhere.stdout + elsewhere.stderr
    assert clone.visit(clone.app()).status == 200


def test_an_unknown_option_is_refused_and_help_is_given(clone: Clone) -> None:
    refused = clone.quickstart("--stopp", check=False)
    assert refused.returncode == 1
    assert "unknown option --stopp" in refused.stderr
    assert "--stop " in clone.quickstart("--help").stdout
