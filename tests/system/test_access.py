"""Who may do what with an app. Source: Dev Center, collaborating."""

from __future__ import annotations

from pathlib import Path

import pytest

from .person import App, Person
from .rig import Copy


@pytest.fixture(scope="module")
def guest(platform: Copy, operator: Person, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A second account, invited."""
    person = Person(platform, tmp_path_factory.mktemp("guest") / "home", "guest@example.com")
    invitation = operator.senryu("registration:invite", person.email).stdout.split("--invitation ")[1].split()[0]
    person.register("--invitation", invitation)
    return person


def test_a_stranger_cannot_register(platform: Copy, operator: Person, tmp_path: Path) -> None:
    stranger = Person(platform, tmp_path / "home", "stranger@example.com")
    refused = stranger.senryu("register", "--email", stranger.email, "--password-stdin", stdin=stranger.password, check=False)
    assert refused.returncode != 0
    assert "operator" in refused.stderr
    assert stranger.senryu("apps", check=False).returncode != 0


def test_another_account_uses_an_app_only_while_it_has_access(app: App, guest: Person) -> None:
    name = app.name
    assert "Couldn't find the app" in guest.senryu("ps", "-a", name, check=False).stderr
    assert name not in guest.senryu("apps").stdout
    app.senryu("access:add", guest.email)
    assert "web.1" in guest.senryu("ps", "-a", name).stdout
    guest.senryu("git:clone", "-a", name)
    clone = guest.home / name
    guest.run("git", "commit", "-q", "--allow-empty", "-m", "From the guest", cwd=clone)
    assert "Released v3" in guest.run("git", "push", "senryu", "main", cwd=clone).stderr
    assert guest.senryu("apps:destroy", "-a", name, "--confirm", name, check=False).returncode != 0
    assert guest.email in app.senryu("releases").stdout
    app.senryu("access:remove", guest.email)
    assert "Couldn't find the app" in guest.senryu("ps", "-a", name, check=False).stderr
    guest.run("git", "commit", "-q", "--allow-empty", "-m", "Once more", cwd=clone)
    assert guest.run("git", "push", "senryu", "main", cwd=clone, check=False).returncode != 0
    assert app.visit().text == "Hello from Senryu, release v3\n"


def test_a_token_that_was_logged_out_is_worth_nothing(platform: Copy, guest: Person) -> None:
    token = guest.senryu("auth:token").stdout.strip()
    bearer = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.heroku+json; version=3"}
    assert platform.visit("localhost", "/account", headers=bearer).status == 200
    guest.senryu("logout")
    assert platform.visit("localhost", "/account", headers=bearer).status == 401
    assert guest.senryu("auth:whoami", check=False).returncode == 100
    guest.senryu("login", "--email", guest.email, "--password-stdin", stdin=guest.password)
    assert guest.senryu("auth:whoami").stdout == f"{guest.email}\n"
