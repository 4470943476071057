"""Each example of the repository as a new user would deploy it, and once more without a change of its dependencies."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass

import pytest

from .conftest import NewApp
from .rig import CHECKOUT, eventually


@dataclass(frozen=True)
class Example:
    """`page` is in the answer; `installs` in the first build's output only; `kept` in the second's. `program` must be on the machine.

    `names` is the manifest with a PostgreSQL client, for which the first deploy brings a database.
    """

    name: str
    language: str
    page: str
    installs: str = ""
    kept: str = ""
    program: str = ""
    is_from_registry: bool = False
    names: str = ""


EXAMPLES = (
    Example("python-web", "Python", "Hello from Senryu, release v2"),
    Example(
        "flask-gunicorn", "Python", "Flask under gunicorn", "Installing dependencies", "Using cached dependencies", is_from_registry=True
    ),
    Example(
        "django-release",
        "Python",
        "Guest book",
        "Installing dependencies",
        "Using cached dependencies",
        is_from_registry=True,
        names="requirements.txt names psycopg",
    ),
    Example("node-express", "Node.js", "Hello from Express", "Installing dependencies", "nothing to install", is_from_registry=True),
    Example("ruby-sinatra", "Ruby", "Hello from Sinatra", program="bundle"),
    Example("go-web", "Go", "Hello from Go", "net/http", "The app needs no modules", program="go"),
    Example("php-web", "PHP", "Hello from PHP", "", "nothing to install", program="php"),
    Example("static-site", "Static", "static-site", "Installing the file server", "Using the cached file server", is_from_registry=True),
    Example("worker-procfile", "Procfile", "page.html"),
)


def parameters() -> list[object]:
    """The examples; those that fetch from a registry say so."""
    return [
        pytest.param(
            example,
            id=example.name,
            marks=[
                *([pytest.mark.registry] if example.is_from_registry else []),
                *([pytest.mark.postgres] if example.names else []),
            ],
        )
        for example in EXAMPLES
    ]


@pytest.mark.parametrize("example", parameters())
def test_an_example_deploys_and_answers_and_a_second_push_installs_nothing(example: Example, make_app: NewApp) -> None:
    if example.program and shutil.which(example.program) is None:
        pytest.skip(f"{example.program} is not on this machine; `./test` installs it")
    app = make_app(example.name)
    first = app.push().stderr
    assert f"-----> {example.language} app detected" in first
    assert example.installs in first
    assert (f"-----> Adding heroku-postgresql:essential-0 ({example.names})" if example.names else "-----> Launching...") in first
    answer = app.visit()
    assert answer.status == 200 and example.page in answer.text, answer
    second = app.deploy({"a-new-file.txt": "Nothing depends on this.\n"})
    assert ("Released v4" if example.names else "Released v3") in second
    assert "-----> Adding" not in second
    config = json.loads(app.senryu("config", "--json").stdout)
    assert config.get("DATABASE_URL", "").startswith("postgres://") is bool(example.names)
    assert example.kept in second
    assert not example.installs or example.installs not in second
    assert app.visit().status == 200


def test_the_examples_are_all_there() -> None:
    there = {path.name for path in (CHECKOUT / "examples").iterdir() if path.is_dir()}
    assert there - {"gallery"} == {example.name for example in EXAMPLES}  # that one is the course's


def test_the_example_with_a_worker_works(make_app: NewApp) -> None:
    app = make_app("worker-procfile")
    app.push()
    app.senryu("config:set", "INTERVAL_S=1")
    app.senryu("ps:scale", "worker=1")
    app.logged("app[worker.1]: job 2 done")
    app.senryu("ps:scale", "worker=0")
    app.logged("SIGTERM: bye")
    eventually(lambda: set(app.states()) == {"web.1"}, "the worker's end")
