from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .conftest import CHECKOUT, Senryu, git
from .fake_api import EMAIL, TOKEN, FakeApi, Reply, app


def filled(url: str) -> dict[str, str]:
    """What `git credential fill` finds out for a URL, by the repository's own configuration."""
    done = subprocess.run(["git", "credential", "fill"], input=f"url={url}\n\n", capture_output=True, text=True, timeout=30, check=False)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_create_adds_the_remote_and_git_asks_nothing(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    api.on("POST /apps", app("quiet-river-12"), 201)
    result = senryu("create")
    assert result.status == 0
    assert result.err == "Creating app... done, ⬢ quiet-river-12, stack is host\nGit remote senryu added\n"
    assert result.out == f"http://quiet-river-12.localhost:8080/ | {api.url}/quiet-river-12.git\n"
    assert git("remote", "get-url", "senryu") == f"{api.url}/quiet-river-12.git"
    assert filled(f"{api.url}/quiet-river-12.git") | {"username": EMAIL, "password": TOKEN} == filled(f"{api.url}/quiet-river-12.git")


def test_inherited_credential_helpers_are_not_asked_and_other_repositories_are_untouched(
    api: FakeApi, senryu: Senryu, repository: Path, home: Path
) -> None:
    git("config", "--global", "credential.helper", f"store --file {home}/leak")
    before = (home / ".gitconfig").read_text()
    api.on("POST /apps", app(), 201)
    senryu("create", "myapp")
    git_approve = f"url={api.url}/myapp.git\nusername={EMAIL}\npassword={TOKEN}\n\n"
    subprocess.run(["git", "credential", "approve"], input=git_approve, text=True, check=True, timeout=30)
    assert not (home / "leak").exists()
    assert (home / ".gitconfig").read_text() == before


def test_a_real_git_fetch_logs_in_with_the_token(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    refs = b"001e# service=git-upload-pack\n00000000"

    def door(request: object) -> Reply:
        if "Authorization" not in getattr(request, "headers", {}):
            return Reply({}, 401, {"WWW-Authenticate": 'Basic realm="Senryu"'})
        return Reply(refs, 200, {"Content-Type": "application/x-git-upload-pack-advertisement"})

    api.on("POST /apps", app(), 201)
    api.on("GET /myapp.git/info/refs?service=git-upload-pack", door)
    senryu("create", "myapp")
    git("ls-remote", "senryu")
    from base64 import b64encode

    asked = api.asked("GET /myapp.git/info/refs?service=git-upload-pack")
    assert asked[-1].headers["Authorization"] == "Basic " + b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()


def test_create_takes_name_remote_stack_and_buildpacks(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    api.on("POST /apps", app(), 201)
    api.on("PUT /apps/myapp/buildpack-installations", [])
    senryu("create", "myapp", "-r", "heroku", "-s", "host", "-b", "heroku/nodejs", "-b", "heroku/python")
    assert api.asked("POST /apps")[0].json == {"name": "myapp", "stack": "host"}
    put = api.asked("PUT /apps/myapp/buildpack-installations")[0]
    assert put.json == {"updates": [{"buildpack": "heroku/nodejs"}, {"buildpack": "heroku/python"}]}
    assert put.headers["Range"] == ""
    assert git("remote") == "heroku"


def test_create_leaves_a_remote_that_is_already_there(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    git("remote", "add", "senryu", "https://elsewhere.example/x.git")
    api.on("POST /apps", app(), 201)
    assert "was left as it is" in senryu("create", "myapp").err
    assert git("remote", "get-url", "senryu") == "https://elsewhere.example/x.git"


@pytest.mark.parametrize("words", [["--no-remote"], ["-n"]])
def test_create_without_a_remote(words: list[str], api: FakeApi, senryu: Senryu, repository: Path) -> None:
    api.on("POST /apps", app(), 201)
    assert senryu("create", "myapp", *words).status == 0
    assert git("remote") == ""


def test_create_outside_a_repository_makes_the_app_only(api: FakeApi, senryu: Senryu) -> None:
    api.on("POST /apps", app(), 201)
    assert senryu("create", "myapp").status == 0


def test_a_name_that_is_taken_is_told_and_nothing_is_added(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    api.error("POST /apps", 422, "invalid_params", "Name myapp is already taken")
    result = senryu("create", "myapp")
    assert (result.status, result.out) == (2, "")
    assert "Creating ⬢ myapp... !\nerror: Name myapp is already taken\n" in result.err
    assert git("remote") == ""


@pytest.mark.parametrize(
    ("remote", "app_name"),
    [
        ("{url}/myapp.git", "myapp"),
        ("http://x:y@{machine}/myapp.git", "myapp"),
        ("https://localhost:8443/myapp.git", "myapp"),
        ("https://localhost/myapp.git", "myapp"),
    ],
)
def test_the_app_is_inferred_from_the_remote(remote: str, app_name: str, api: FakeApi, senryu: Senryu, repository: Path) -> None:
    git("remote", "add", "anything", remote.format(url=api.url, machine=api.machine))
    api.on(f"GET /apps/{app_name}/config-vars", {})
    assert senryu("config").status == 0


@pytest.mark.parametrize(
    "remote", ["https://github.com/ada/myapp.git", "http://localhost:1/myapp.git", "git@localhost:x.git", "{url}/a/b.git"]
)
def test_remotes_of_other_places_name_no_app(remote: str, api: FakeApi, senryu: Senryu, repository: Path) -> None:
    git("remote", "add", "origin", remote.format(url=api.url))
    result = senryu("config")
    assert (result.status, result.err) == (
        1,
        "error: Which app? No git remote here belongs to one\nhint: Add `--app APP`; `senryu apps` lists yours\n",
    )


def test_of_two_apps_one_must_be_named(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    git("remote", "add", "production", f"{api.url}/prod.git")
    git("remote", "add", "staging", f"{api.url}/stage.git")
    result = senryu("maintenance")
    assert (result.status, result.err.splitlines()[1]) == (1, "hint: Add `--remote production` (prod) or `--remote staging` (stage)")
    api.on("GET /apps/stage", app("stage"))
    assert senryu("maintenance", "-r", "staging").out == "off\n"
    git("config", "senryu.remote", "staging")
    assert senryu("maintenance").out == "off\n"
    assert "No git remote `nope`" in senryu("maintenance", "-r", "nope").err


def test_the_order_is_flag_then_environment_then_remote(
    api: FakeApi, senryu: Senryu, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("remote", "add", "senryu", f"{api.url}/fromgit.git")
    for name in ("fromgit", "fromenv", "fromflag"):
        api.on(f"GET /apps/{name}", app(name))
    senryu("maintenance")
    monkeypatch.setenv("SENRYU_APP", "fromenv")
    senryu("maintenance")
    senryu("maintenance", "--app", "fromflag")
    assert [request.path for request in api.requests] == ["/apps/fromgit", "/apps/fromenv", "/apps/fromflag"]


def test_git_remote_moves_an_existing_remote(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    git("remote", "add", "senryu", "https://elsewhere.example/x.git")
    api.on("GET /apps/myapp", app())
    assert senryu("git:remote", "-a", "myapp").err == f"set git remote senryu to {api.url}/myapp.git\n"
    assert git("remote", "get-url", "senryu") == f"{api.url}/myapp.git"
    assert filled(f"{api.url}/myapp.git")["password"] == TOKEN


def test_git_remote_outside_a_repository_says_so(api: FakeApi, senryu: Senryu) -> None:
    assert senryu("git:remote", "-a", "myapp").err.startswith("error: This folder is no git repository")


def test_rename_moves_the_remotes(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    git("remote", "add", "senryu", f"{api.url}/old.git")
    api.on("PATCH /apps/old", app("new"))
    assert senryu("rename", "new").status == 0
    assert api.asked("PATCH /apps/old")[0].json == {"name": "new"}
    assert git("remote", "get-url", "senryu") == f"{api.url}/new.git"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("protocol=http\nhost={machine}\n", f"username={EMAIL}\npassword={TOKEN}\n"),
        ("protocol=https\nhost=localhost:8443\n", f"username={EMAIL}\npassword={TOKEN}\n"),
        ("protocol=https\nhost=github.com\n", ""),
        ("protocol=http\nhost=localhost:1\n", ""),
        ("", ""),
    ],
)
def test_git_gets_the_token_for_the_platform_only(question: str, answer: str, api: FakeApi, senryu: Senryu) -> None:
    assert senryu("git:credentials", "get", stdin=question.format(machine=api.machine)).out == answer


def test_git_gets_the_key_of_the_environment(api: FakeApi, senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENRYU_API_KEY", "key")
    question = f"protocol=http\nhost={api.machine}\n"
    assert senryu("git:credentials", "get", stdin=question).out == "username=senryu\npassword=key\n"
    assert senryu("git:credentials", "get", stdin="protocol=https\nhost=evil.example\n").out == ""
    assert senryu("git:credentials", "store", stdin=question).out == ""


def test_the_helper_is_this_checkout_by_its_absolute_path(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    api.on("POST /apps", app(), 201)
    senryu("create", "myapp")
    assert git("config", "--local", "--get", f"credential.{api.url}.helper") == f"!{CHECKOUT}/bin/senryu git:credentials"
