"""The gallery of the tutorial in its other languages: the same fate of pictures, with their own ways to migrate."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest

from system.person import App, Person
from system.rig import CHECKOUT, eventually

pytestmark = [pytest.mark.registry, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Language:
    """How the gallery is migrated in it, and what that says."""

    name: str
    migrate: str
    migrated: str


LANGUAGES = (
    Language("python", "flask db upgrade", "Running upgrade"),
    Language("node", "npm run migrate", "MIGRATION"),
)


@contextmanager
def gallery(owner: Person, language: str) -> Iterator[App]:
    """A clone of the app's repository, with an app for it."""
    name = f"g-{uuid4().hex[:10]}"
    origin, folder = owner.home / f"{name}.git", owner.home / name
    owner.run(str(CHECKOUT / "examples/gallery/repository"), language, str(origin))
    owner.run("git", "clone", "-q", str(origin), str(folder))
    owner.senryu("create", name, cwd=folder)
    app = App(owner, name, folder)
    try:
        yield app
    finally:
        app.destroy()


def add(app: App, picture: str) -> None:
    """As the page's form does."""
    url = f"http://{app.name}.localhost:{app.copy.port}/pictures"
    form = f"picture=@{CHECKOUT / 'examples/gallery' / picture};type=image/png"
    said = subprocess.run(["curl", "-sS", "-i", "-F", form, url], capture_output=True, text=True, timeout=90, check=True).stdout
    assert "303" in said.splitlines()[0], f"{said}\n{app.log()}"


def restart(app: App) -> None:
    """Returns when other dynos serve than before."""
    before = app.dynos()["web.1"]["id"]
    app.senryu("ps:restart")
    eventually(lambda: (now := app.dynos().get("web.1")) and now["id"] != before and now["state"] == "up", "another dyno")


def shown(app: App) -> str:
    """The page, and each of its pictures is looked at."""
    page = app.visit()
    for path in [part.partition('"')[0] for part in page.text.split('src="')[1:]]:
        picture = app.visit(path)
        assert picture.status == 200 and picture.headers["content-type"] == "image/png", picture
        assert "PNG" in picture.text[:8]
    return page.text


def is_apology(app: App, status: int) -> bool:
    """Whether a visitor is told that there was an error, and nothing else."""
    answer = app.visit()
    return answer.status == status and "Application error" in answer.text and "DATABASE_URL" not in answer.text


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_the_gallery_goes_the_same_way_in_another_language(language: Language, operator: Person) -> None:
    with gallery(operator, language.name) as app:
        app.push("master")
        app.senryu("ps:type", "free")
        eventually(lambda: app.dynos()["web.1"]["size"] == "Free" and app.states()["web.1"] == "up", "a Free dyno")
        assert app.senryu("addons", "--json").stdout.strip() == "[]", "this branch names no client of a database"
        add(app, "kite.png")
        assert "Pictures: 1" in shown(app)
        restart(app)
        assert "No pictures yet." in shown(app)

        app.git("switch", "-q", "pg")
        assert "crashed during boot" in app.push("pg:master").stderr
        eventually(lambda: is_apology(app, 503), "the platform's error page")
        app.logged("There is no database: the config var DATABASE_URL is not set.")
        app.logged("at=error code=H10")
        refused = app.senryu("run", "--exit-code", "--", language.migrate, check=False)
        assert refused.returncode != 0 and "DATABASE_URL" in refused.stdout + refused.stderr, refused
        app.senryu("addons:create", "heroku-postgresql")
        eventually(lambda: is_apology(app, 500), "the app's error page")
        app.logged('relation "pictures" does not exist')
        done = app.senryu("run", "--exit-code", "--", language.migrate)
        assert language.migrated in done.stdout + done.stderr
        add(app, "kite.png")
        restart(app)
        assert "Pictures: 1" in shown(app)

        app.senryu("addons:create", "senryu-objects")
        app.git("switch", "-q", "objects")
        app.push("HEAD:master")
        app.senryu("run", "--exit-code", "--", language.migrate)
        add(app, "boat.png")
        restart(app)
        assert "Pictures: 2" in shown(app)
