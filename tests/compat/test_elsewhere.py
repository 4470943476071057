"""The official client against a platform of another domain, through `senryu tunnel` and `senryu heroku`.

The person's machine is a mount namespace whose hosts file says where the domain is: the client itself is told nothing but `localhost`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from system.person import PROGRAM, Done, Person
from system.rig import CHECKOUT, Copy, eventually, running_copy
from system.terminal import TerminalSession

from .client import installed, path_to

DOMAIN = "platform.test"
_THERE = 'mount --bind "$0" /etc/hosts && exec "$@"'


class FarPerson(Person):
    """Somebody on a machine that knows the platform by its domain only."""

    def __init__(self, copy: Copy, home: Path, email: str) -> None:
        super().__init__(copy, home, email)
        self.hosts = home / "hosts"
        self.hosts.write_text(f"127.0.0.1 localhost api.{DOMAIN} git.{DOMAIN} {DOMAIN}\n::1 localhost\n")
        del self.environment["SENRYU_TLS_PORT"]
        self.environment |= {
            "SENRYU_URL": f"https://api.{DOMAIN}:{copy.tls_port}",
            "SSL_CERT_FILE": str(copy.home / "tls/ca.pem"),
            "PATH": f"{path_to(installed())}:{os.environ['PATH']}",
        }
        (home / ".cache/heroku").mkdir(parents=True)
        (home / ".cache/heroku/terms-of-service").touch()

    def there(self, *command: str) -> list[str]:
        """A command as it is started on that machine."""
        return ["unshare", "--mount", "sh", "-c", _THERE, str(self.hosts), *command]

    def run(self, *command: str, **options: Any) -> Done:
        return super().run(*self.there(*command), **options)

    def heroku(self, *words: str, status: int = 0, **options: Any) -> Done:
        """`senryu heroku -- …`, which is to end with `status`."""
        done = self.senryu("heroku", "--", *words, check=False, **options)
        assert done.returncode == status, f"heroku {words} ended with {done.returncode}:\n{done.stdout}{done.stderr}\n{self.copy.own_log()}"
        return done


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarPerson]:
    with running_copy(f'domain = "{DOMAIN}"\n') as copy:
        person = FarPerson(copy, tmp_path_factory.mktemp("far") / "home", "far@example.com")
        person.register()
        yield person


@contextlib.contextmanager
def tunnel(far: FarPerson) -> Iterator[str]:
    """`senryu tunnel` in another terminal, and what `senryu env` makes of the shell; gives the address on this machine."""
    command = far.there(PROGRAM, "tunnel")
    process = subprocess.Popen(command, env=far.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    before = far.environment
    try:
        assert process.stdout is not None
        found = re.match(r"(https://localhost:\d+) leads to", process.stdout.readline())
        assert found
        exported = far.run("bash", "-c", f'eval "$({PROGRAM} env)" && exec env -0').stdout
        far.environment = dict(item.split("=", 1) for item in exported.split("\0") if "=" in item)
        yield found[1]
    finally:
        far.environment = before
        process.send_signal(signal.SIGINT)
        process.wait(20)


def test_the_whole_way_of_an_app_through_a_tunnel(far: FarPerson) -> None:
    folder = far.home / "app"
    shutil.copytree(CHECKOUT / "examples/python-web", folder)
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "First")):
        far.run("git", *words, cwd=folder)
    refused = far.senryu("env", check=False)
    assert refused.returncode == 1 and "senryu tunnel" in refused.stderr
    with tunnel(far) as door:
        assert far.environment["HEROKU_HOST"] == door
        far.run("heroku", "create", "far-app", cwd=folder)
        assert far.run("git", "remote", "get-url", "heroku", cwd=folder).stdout.strip() == f"{door}/far-app.git"
        pushed = far.run("git", "push", "heroku", "main", cwd=folder)
        assert "Released v" in pushed.stderr or "deployed" in pushed.stderr, pushed.stderr
        assert "far-app.platform.test" in far.run("heroku", "apps:info", cwd=folder).stdout
        assert far.copy.visit("far-app.platform.test").status == 200
        ran = far.run("heroku", "run", "-x", "--no-tty", "--", "cat; (exit 7)", cwd=folder, check=False, stdin="hello\n")
        assert (ran.returncode, "hello" in ran.stdout) == (7, True), ran.stdout + ran.stderr
        with _tail(far, folder) as tail:
            assert far.copy.visit("far-app.platform.test", "/seen-through-the-tunnel").status
            _until_said(tail, "seen-through-the-tunnel")
        clone = far.home / "clone"
        far.run("heroku", "git:clone", "-a", "far-app", str(clone))
        assert (clone / "Procfile").exists()
    assert not (far.home / ".gitconfig").exists()
    # The same port again, so that the remote still leads there.
    with tunnel(far) as again:
        assert again == door
        assert "far-app" in far.run("heroku", "apps").stdout


@contextlib.contextmanager
def _tail(far: FarPerson, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = far.there("heroku", "logs", "--tail")
    process = subprocess.Popen(
        command, cwd=folder, env=far.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def _until_said(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"the log ended without {text}")


def test_one_command_in_one_go_with_its_status_its_terminal_and_its_signals(far: FarPerson) -> None:
    assert "far-app" in far.heroku("apps").stdout
    far.heroku("apps:info", "-a", "nobody-has-this", status=2)
    ran = far.heroku("run", "-x", "--no-tty", "-a", "far-app", "--", "cat; (exit 9)", status=9, stdin="given\n")
    assert "given" in ran.stdout
    environment: Mapping[str, str] = {**far.environment, "TERM": "xterm"}
    with TerminalSession(far.there(PROGRAM, "heroku", "--", "run", "-x", "-a", "far-app", "bash"), environment) as terminal:
        terminal.await_text("$ ")
        terminal.type("sh -c 'echo $((40+2)); exec sleep 100'\r")  # by what Ctrl-C ends: see test_one_off.py
        terminal.await_text("42")
        terminal.type("\x03")
        terminal.await_text("$ ")
        terminal.type("exit 3\r")
        assert terminal.await_end() == 3
    command = far.there(PROGRAM, "heroku", "--", "logs", "--tail", "-a", "far-app")
    process = subprocess.Popen(command, env=far.environment, stdout=subprocess.PIPE, text=True)
    _until_said(process, "[")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM
    eventually(lambda: "logs --tail" not in subprocess.run(["pgrep", "-af", "far-app"], capture_output=True, text=True).stdout, "no client")
