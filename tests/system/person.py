"""Someone who uses the platform: a home directory of their own, the command line, git, and the apps they made."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from .rig import CHECKOUT, SLOWNESS, Answer, Copy, eventually, new_password

PROGRAM = str(CHECKOUT / "bin" / "senryu")
Done = subprocess.CompletedProcess[str]


class Person:
    """An account on a copy, or somebody without one. Their netrc and git configuration are theirs alone."""

    def __init__(self, copy: Copy, home: Path, email: str) -> None:
        self.copy, self.home, self.email = copy, home, email
        self.password = new_password()
        home.mkdir(parents=True)
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "SENRYU_URL": copy.url,
            "SENRYU_TLS_PORT": str(copy.tls_port),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Test",
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": email,
        }

    def run(self, *command: str, cwd: Path | None = None, check: bool = True, stdin: str = "", timeout_s: float = 240) -> Done:
        """A program as this person, who is not at a terminal. stderr follows stdout only in the failure's message."""
        place, patience_s = cwd or self.home, timeout_s * SLOWNESS
        done = subprocess.run(
            command, cwd=place, env=self.environment, input=stdin, capture_output=True, text=True, timeout=patience_s, check=False
        )
        assert not check or done.returncode == 0, (
            f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}\n{self.copy.own_log()}"
        )
        return done

    def senryu(self, *words: str, **options: Any) -> Done:
        """The command line."""
        return self.run(PROGRAM, *words, **options)

    def register(self, *words: str) -> None:
        """Makes the account and is logged in."""
        self.senryu("register", "--email", self.email, "--password-stdin", *words, stdin=self.password)


def registered(copy: Copy, home: Path, email: str = "operator@example.com") -> Person:
    """A person who has just made an account; a copy's first is the operator."""
    person = Person(copy, home, email)
    person.register()
    return person


class App:
    """An app with a repository of its own and the remote `senryu`."""

    def __init__(self, owner: Person, name: str, folder: Path) -> None:
        self.owner, self.copy, self.name, self.folder = owner, owner.copy, name, folder

    def write(self, files: Mapping[str, str]) -> None:
        """Files of the working tree; what begins with #! may be executed."""
        for path, content in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
            target.chmod(0o755 if content.startswith("#!") else 0o644)

    def commit(self, files: Mapping[str, str] | None = None, message: str = "A change") -> str:
        """Commits everything; gives the commit."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def git(self, *words: str, check: bool = True) -> Done:
        """git in the app's repository."""
        return self.owner.run("git", *words, cwd=self.folder, check=check)

    def push(self, *refs: str, check: bool = True) -> Done:
        """A real `git push`; what the platform says is in stderr."""
        return self.git("push", "senryu", *(refs or ("main",)), check=check)

    def pushing(self, *refs: str) -> subprocess.Popen[str]:
        """A push that goes on beside the test; stderr is merged into stdout."""
        return subprocess.Popen(
            ["git", "push", "senryu", *(refs or ("main",))],
            cwd=self.folder,
            env=self.owner.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def deploy(self, files: Mapping[str, str] | None = None) -> str:
        """Commits and pushes; gives what the push said. It must succeed."""
        self.commit(files)
        return self.push().stderr

    def senryu(self, *words: str, **options: Any) -> Done:
        """The command line with `-a`, which stands before what belongs to a command."""
        return self.owner.senryu(words[0], "-a", self.name, *words[1:], **options)

    def visit(self, path: str = "/", **options: Any) -> Answer:
        """One request to the app."""
        return self.copy.visit(self.name, path, **options)

    def log(self, *words: str) -> str:
        """`senryu logs`, all of it unless said otherwise."""
        return self.senryu("logs", *(words or ("-n", "1500"))).stdout

    def logged(self, text: str, *words: str, within_s: float = 45) -> str:
        """Waits until the log has `text`; gives the log."""

        def look() -> str:
            log = self.log(*words)
            return log if text in log else ""

        try:
            return eventually(look, f"`{text}` in the log", within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def releases(self) -> list[dict[str, Any]]:
        """The newest first."""
        found: list[dict[str, Any]] = json.loads(self.senryu("releases", "--json").stdout)
        return sorted(found, key=lambda release: -int(release["version"]))

    def builds(self) -> list[dict[str, Any]]:
        """The newest first."""
        found: list[dict[str, Any]] = json.loads(self.senryu("builds", "--json").stdout)
        return found

    def dynos(self) -> dict[str, dict[str, Any]]:
        """By name. While one takes another's place both have the name; the newer one counts."""
        found: list[dict[str, Any]] = json.loads(self.senryu("ps", "--json").stdout)
        return {dyno["name"]: dyno for dyno in sorted(found, key=lambda dyno: str(dyno["created_at"]))}

    def states(self) -> dict[str, str]:
        """The dynos' states by name."""
        return {name: dyno["state"] for name, dyno in self.dynos().items()}

    def id(self) -> str:
        """The app's UUID."""
        info = json.loads(self.senryu("apps:info", "--json").stdout)
        return str(info.get("app", info)["id"])

    def destroy(self) -> None:
        """Gone, with its repository on this side."""
        with contextlib.suppress(AssertionError):
            self.owner.senryu("apps:destroy", "-a", self.name, "--confirm", self.name)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def new_app(owner: Person, files: Mapping[str, str] | str = "python-web", *words: str) -> Iterator[App]:
    """An app made with `senryu create`, not pushed yet. `files` is the name of an example, or the files themselves."""
    name = f"t-{uuid4().hex[:10]}"
    folder = owner.home / name
    if isinstance(files, str):
        shutil.copytree(CHECKOUT / "examples" / files, folder)
    else:
        folder.mkdir()
    app = App(owner, name, folder)
    owner.run("git", "init", "-q", "-b", "main", cwd=folder)
    try:
        owner.senryu("create", name, *words, cwd=folder)
        app.commit({} if isinstance(files, str) else files, "Begin")
        yield app
    finally:
        app.destroy()


def texts_in_order(whole: str, parts: Sequence[str]) -> bool:
    """Whether all parts are there, one after another."""
    place = 0
    for part in parts:
        place = whole.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True
