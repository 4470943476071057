"""Git on the developer's machine: remotes, and the app that they name."""

from __future__ import annotations

import os
import subprocess
from urllib.parse import urlsplit

from senryu.cli.arguments import Typed
from senryu.cli.failure import Failure
from senryu.cli.platform_url import PlatformUrl, git_machines, platform_url

GIT_TIMEOUT_S = 30.0


def git(*words: str, cwd: str | None = None) -> str | None:
    """What git prints, or None when it fails. Raises `Failure` when there is no git."""
    try:
        done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        raise Failure("git is not installed", hint="Install it (Debian: `apt-get install git`)") from error
    except subprocess.TimeoutExpired as error:
        raise Failure(f"`git {words[0]}` did not end within {GIT_TIMEOUT_S:.0f} seconds") from error
    return done.stdout if done.returncode == 0 else None


def must_git(*words: str) -> str:
    """As `git`, but a failing git is a `Failure` with what it said."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        raise Failure("git is not installed", hint="Install it (Debian: `apt-get install git`)") from error
    if done.returncode != 0:
        raise Failure(f"`git {' '.join(words[:2])}` failed: {done.stderr.strip() or done.returncode}")
    return done.stdout


def in_repository() -> bool:
    """Whether the current folder is inside a git work tree."""
    return (git("rev-parse", "--is-inside-work-tree") or "").strip() == "true"


def app_of(remote_url: str, url: PlatformUrl) -> str | None:
    """The app that a remote's URL names on this platform."""
    try:
        parts = urlsplit(remote_url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    path = parts.path.strip("/")
    if (parts.scheme, parts.hostname or "", port) not in git_machines(url) or not path.endswith(".git") or "/" in path:
        return None
    return path.removesuffix(".git")


def remotes(url: PlatformUrl) -> dict[str, str]:
    """Remote name → app, for the remotes of this platform. The unrewritten URLs are read, `insteadOf` or not."""
    found: dict[str, str] = {}
    for line in (git("config", "--get-regexp", r"^remote\..*\.url$") or "").splitlines():
        key, _, value = line.partition(" ")
        app = app_of(value, url)
        if app:
            found[key.removeprefix("remote.").removesuffix(".url")] = app
    return found


def app_for(typed: Typed) -> str:
    """The app a command is about: `--app`, `--remote`, SENRYU_APP, the only git remote. Raises `Failure` when unclear."""
    named = typed.text("app")
    if named is not None:
        return _checked(named)
    wanted = typed.text("remote")
    if wanted is None and os.environ.get("SENRYU_APP"):
        return os.environ["SENRYU_APP"]
    found = remotes(platform_url())
    if wanted is not None:
        if wanted not in found:
            raise Failure(f"No git remote `{wanted}` of {platform_url()} here", hint=_remotes_hint(found))
        return found[wanted]
    if len(set(found.values())) > 1:
        wanted = (git("config", "senryu.remote") or "").strip()
        if wanted in found:
            return found[wanted]
        raise Failure("More than one app has a git remote here, so name one", hint=_remotes_hint(found))
    if not found:
        raise Failure("Which app? No git remote here belongs to one", hint="Add `--app APP`; `senryu apps` lists yours")
    return next(iter(found.values()))


def _checked(app: str) -> str:
    if not app or "/" in app or any(letter.isspace() for letter in app):
        raise Failure(f"`{app}` cannot be an app's name", hint="`senryu apps` lists your apps")
    return app


def _remotes_hint(found: dict[str, str]) -> str:
    if not found:
        return "Add one with `senryu git:remote --app APP`"
    return "Add " + " or ".join(f"`--remote {remote}` ({app})" for remote, app in sorted(found.items()))


def add(remote: str, app: str, url: PlatformUrl) -> bool:
    """Adds or moves the remote and lets git fetch the password from this command line. Gives whether it was new."""
    known = git("config", f"remote.{remote}.url") is not None
    must_git("remote", *(("set-url", remote) if known else ("add", remote)), url.git(app))
    ask_senryu_for_passwords(url)
    return not known


def ask_senryu_for_passwords(url: PlatformUrl, folder: str = ".") -> None:
    """Writes the repository's own credential helper for the platform; no other repository is touched."""
    key = f"credential.{url}.helper"
    # The empty first entry switches off inherited helpers: they would ask, or keep the token in a file of their own.
    must_git("-C", folder, "config", "--local", "--replace-all", key, "")
    must_git("-C", folder, "config", "--local", "--add", key, f"!{shell_word(program())} git:credentials")
    must_git("-C", folder, "config", "--local", "--replace-all", f"credential.{url}.useHttpPath", "false")
    authority = os.environ.get("SSL_CERT_FILE")
    if url.scheme == "https" and authority:
        must_git("-C", folder, "config", "--local", f"http.{url}.sslCAInfo", os.path.abspath(authority))


def shell_word(path: str) -> str:
    """The path as one word of a shell line (git hands its helper to a shell)."""
    from shlex import quote

    return quote(path)


def program() -> str:
    """The absolute path of the `senryu` that is running."""
    import shutil
    import sys

    checkout = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "bin", "senryu")
    for candidate in (os.path.realpath(checkout), os.path.realpath(sys.argv[0]), os.path.join(sys.prefix, "bin", "senryu")):
        if os.path.basename(candidate) == "senryu" and os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    return shutil.which("senryu") or "senryu"
