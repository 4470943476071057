"""git:remote, git:clone, git:credentials.

Source: https://devcenter.heroku.com/articles/git, https://git-scm.com/docs/git-credential#IOFMT
"""

from __future__ import annotations

import os
import subprocess
import sys

from senryu.cli import netrc, remotes
from senryu.cli.arguments import AN_APP, APP, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import note
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.platform_url import git_machines, platform_url


def _remote(typed: Typed) -> None:
    if not remotes.in_repository():
        raise Failure("This folder is no git repository", hint="Run `git init` first")
    remote = typed.text("remote") or "senryu"
    name = typed.first() or typed.text("app") or os.environ.get("SENRYU_APP") or remotes.app_for(typed)
    with PlatformApi() as api:
        name = api.get(path_of("apps", name))["name"]
        remotes.add(remote, name, api.url)
        note(f"set git remote {remote} to {api.url.git(name)}")


def _clone(typed: Typed) -> int:
    app = typed.text("app") or remotes.app_for(typed)
    with PlatformApi() as api:
        app, url = api.get(path_of("apps", app))["name"], api.url
    folder = typed.first() or app
    remote = typed.text("remote") or "senryu"
    helper = f"credential.{url}.helper"
    asks = ("-c", f"{helper}=", "-c", f"{helper}=!{remotes.shell_word(remotes.program())} git:credentials")
    status = subprocess.call(["git", *asks, "clone", "-o", remote, url.git(app), folder])
    if status != 0:
        raise Failure(f"`git clone` of {app} ended with status {status}")
    remotes.ask_senryu_for_passwords(url, folder)
    return 0


def _credentials(typed: Typed) -> None:
    """Answers `get` for the platform's own address only; `store` and `erase` are left to `login` and `logout`."""
    asked = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    if typed.first("get") != "get":
        return
    found = _answer(asked.get("protocol", ""), asked.get("host", ""))
    if found:
        print(f"username={found[0] or 'senryu'}\npassword={found[1]}")


def _answer(scheme: str, machine: str) -> tuple[str, str] | None:
    url = platform_url()
    host, _, port = machine.rpartition(":") if machine.rpartition(":")[2].isdigit() else (machine, "", "")
    number = int(port) if port else {"http": 80, "https": 443}.get(scheme, 0)
    is_ours = (scheme, host.strip("[]"), number) in git_machines(url)
    key = os.environ.get("SENRYU_API_KEY")
    if is_ours and key:
        return "senryu", key
    # A repository may belong to a platform that SENRYU_URL does not name just now.
    return netrc.credentials(machine) or (netrc.credentials(url.machine) if is_ours else None)


TOPIC = {
    "git:remote": Command(
        _remote, "[APP]", (APP, Flag("remote", "r", "REMOTE", "name of the git remote (senryu)")), most=1,
        examples=("git:remote --app myapp",),
    ),
    "git:clone": Command(_clone, "[FOLDER]", AN_APP, most=1, examples=("git:clone --app myapp",)),
    "git:credentials": Command(_credentials, "get", most=1),
}  # fmt: skip
