from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Senryu, git
from .fake_api import EMAIL, FakeApi, app, dyno


def test_apps_lists_own_and_shared_ones(api: FakeApi, senryu: Senryu) -> None:
    bob = {"id": "9", "email": "bob@example.com"}
    api.on("GET /users/~/apps", [app("zeta"), app("alpha"), app("theirs", owner=bob)])
    assert senryu("apps").out == (
        f"=== {EMAIL} Apps\n\nalpha\nzeta\n\n=== Collaborated Apps\n\n theirs  bob@example.com\n\n"
    )


def test_apps_of_a_new_account_says_what_to_do(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /users/~/apps", [])
    result = senryu("apps")
    assert (result.out, result.err) == ("", "You have no apps. Make one with `senryu create`\n")
    assert senryu("apps", "--json").out == "[]\n"


def test_info_shows_the_app(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp", app(build_stack={"name": "bookworm"}))
    api.on("GET /apps/myapp/dynos", [dyno("web.1"), dyno("web.2"), dyno("worker.1")])
    api.on("GET /apps/myapp/collaborators", [{"user": {"email": EMAIL}}, {"user": {"email": "bob@example.com"}}])
    lines = senryu("apps:info", "-a", "myapp").out.splitlines()
    assert lines[0] == "=== ⬢ myapp"
    assert "Collaborators:  bob@example.com" in lines
    assert "Dynos:          web: 2, worker: 1" in lines
    assert f"Git URL:        {api.url}/myapp.git" in lines
    assert "Slug Size:      5 MiB" in lines
    assert "Stack:          host (next build will use bookworm)" in lines


def test_info_for_shells_and_programs(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp", app())
    api.on("GET /apps/myapp/dynos", [dyno("web.1")])
    lines = senryu("info", "-s", "-a", "myapp").out.splitlines()
    assert "name=myapp" in lines and """dynos='{"web": 1}'""" in lines
    assert json.loads(senryu("info", "--json", "-a", "myapp").out)["app"]["name"] == "myapp"


def test_open_prints_the_address_where_there_is_no_browser(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp", app())
    result = senryu("open", "-a", "myapp", "/about")
    assert (result.status, result.out) == (0, "http://myapp.localhost:8080/about\n")
    assert "No browser" in result.err


def test_open_starts_the_browser(api: FakeApi, senryu: Senryu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho \"$1\" >{tmp_path}/opened\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    api.on("GET /apps/myapp", app())
    assert senryu("open", "-a", "myapp").status == 0
    assert (tmp_path / "opened").read_text() == "http://myapp.localhost:8080/\n"


def test_destroy_wants_the_name_and_takes_the_remote_along(api: FakeApi, senryu: Senryu, repository: Path) -> None:
    git("remote", "add", "senryu", f"{api.url}/myapp.git")
    api.on("GET /apps/myapp", app())
    api.on("DELETE /apps/myapp", app())
    for words, message in (([], "Nobody is here to confirm this"), (["--confirm", "other"], "Confirmation `other` does not match `myapp`")):
        result = senryu("apps:destroy", *words)
        assert result.status == 1 and message in result.err
    assert api.asked("DELETE /apps/myapp") == []
    result = senryu("apps:destroy", "--confirm", "myapp")
    assert (result.status, result.err) == (0, "Destroying ⬢ myapp... done\nGit remote senryu removed\n")
    assert git("remote") == ""


def test_destroy_asks_on_a_terminal(api: FakeApi, senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    api.on("GET /apps/myapp", app())
    api.on("DELETE /apps/myapp", app())
    monkeypatch.setattr("senryu.cli.output.ask", lambda question: "myapp")
    assert senryu("destroy", "-a", "myapp").status == 0
    assert len(api.asked("DELETE /apps/myapp")) == 1


def test_an_app_name_that_cannot_be_is_refused_before_asking(api: FakeApi, senryu: Senryu) -> None:
    assert "`my app` cannot be an app's name" in senryu("info", "-a", "my app").err
    assert "`a/b` cannot be an app's name" in senryu("config", "-a", "a/b").err
    assert "`` cannot be an app's name" in senryu("config", "--app=").err
