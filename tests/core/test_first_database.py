"""Which manifests name a PostgreSQL client, and which only look like it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senryu.core.first_database import MANIFESTS, wanted_by

LOCK = """GEM
  remote: https://rubygems.org/
  specs:
    activerecord (7.1.0)
      pg (>= 1.1)
    rack (3.0)
%s
PLATFORMS
  ruby

DEPENDENCIES
  %s
"""
NAMES_ONE = [
    ("Gemfile", 'source "https://rubygems.org"\ngem "pg"\n'),
    ("Gemfile", "gem 'pg', '~> 1.5'\r\n"),
    ("Gemfile", "group :production do\n  gem('pg')\nend\n"),
    ("Gemfile", 'gem "pg" # database'),
    ("Gemfile.lock", LOCK % ("    pg (1.5.4)", "pg")),
    ("Gemfile.lock", LOCK % ("    pg (1.5.4-x86_64-linux)", "pg (~> 1.5)")),
    ("requirements.txt", "flask\npsycopg2-binary==2.9.9\n"),
    ("requirements.txt", "psycopg[binary]>=3 ; python_version > '3'\n"),
    ("requirements.txt", "  Psycopg2\n"),
    ("requirements.txt", "psycopg_binary\n"),
    ("requirements.txt", "asyncpg==0.29 --hash=sha256:00\n"),
    ("requirements.txt", "pg8000~=1.30\r\n"),
    ("requirements.txt", "psycopg @ https://example.com/psycopg.whl\n"),
    ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["flask", "psycopg[c]>=3"]\n'),
    ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.11"\nasyncpg = { version = "*" }\n'),
    ("Pipfile", '[packages]\nflask = "*"\npsycopg2 = "*"\n'),
    ("poetry.lock", '[[package]]\nname = "psycopg"\nversion = "3.1"\n'),
    ("uv.lock", 'version = 1\n\n[[package]]\nname = "asyncpg"\nversion = "0.29"\n'),
    ("package.json", '{"dependencies": {"express": "4", "pg": "^8"}}'),
]
NAMES_NONE = [
    ("Gemfile", 'gem "pgq"\n'),
    ("Gemfile", '# gem "pg"\n'),
    ("Gemfile", 'gem "rack", "pg"\n'),
    ("Gemfile", 'puts "gem pg"\n'),
    ("Gemfile.lock", LOCK % ("    pghero (3.0)", "pghero")),
    ("requirements.txt", "# psycopg2\nflask\n"),
    ("requirements.txt", "-r psycopg.txt\n--index-url https://psycopg.example.com\n"),
    ("requirements.txt", "my-psycopg\npg\npg8000x\nasyncpg-stubs\n"),
    ("pyproject.toml", '[project]\nname = "psycopg"\n[project.optional-dependencies]\ndev = ["psycopg"]\n'),
    ("pyproject.toml", "[project]\ndependencies = 'psycopg'\n"),
    ("pyproject.toml", "[project\ndependencies = ['psycopg']\n"),
    ("Pipfile", '[dev-packages]\npsycopg2 = "*"\n'),
    ("poetry.lock", '[[package]]\nname = "flask"\ndescription = "psycopg"\n'),
    ("uv.lock", 'dependencies = [\n    { name = "psycopg" },\n]\n'),
    ("package.json", '{"devDependencies": {"pg": "^8"}, "name": "pg"}'),
    ("package.json", '{"dependencies": ["pg"]}'),
    ("package.json", '{"dependencies": {"pg": "^8"}'),
    ("package.json", "[" * 100_000),
    ("package.json", '{"dependencies": {"pg": "' + "x" * 300_000 + '"}}'),
    ("pyproject.toml", "a = " + "[" * 100_000),
    ("pyproject.toml", "\udcff"),
    ("pyproject.toml", "a = " + "9" * 100_000),
    ("pyproject.toml", "a." * 100_000 + "a = 1"),
    ("package.json", '{"dependencies": ' + "9" * 100_000 + "}"),
    ("README", "psycopg2"),
]


@pytest.mark.parametrize(("name", "text"), NAMES_ONE)
def test_a_manifest_that_names_a_client_asks_for_a_database(name: str, text: str) -> None:
    reason = wanted_by({name: text.encode()})
    assert reason is not None and reason.startswith(f"{name} names ")


@pytest.mark.parametrize(("name", "text"), NAMES_NONE)
def test_a_manifest_that_only_looks_like_it_does_not(name: str, text: str) -> None:
    assert wanted_by({name: text.encode("utf-8", "surrogateescape")}) is None


def test_buildpacks_may_ask_for_one_too() -> None:
    assert wanted_by({}, ["papertrail:choklad", "heroku-postgresql:hobby-dev"]) == "its buildpack asks for heroku-postgresql"
    assert wanted_by({}, ["heroku-postgresqlx"]) is None
    assert wanted_by({"Gemfile": b"gem 'pg'"}, ["heroku-postgresql"]) == "Gemfile names pg"


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(MANIFESTS)), st.binary(max_size=400) | st.text().map(str.encode), max_size=4))
def test_nothing_that_is_uploaded_breaks_the_reading(manifests: dict[str, bytes]) -> None:
    assert wanted_by(manifests) is None or isinstance(wanted_by(manifests), str)


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.text(max_size=5), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=12), inner)))
def test_any_json_is_a_package_json(document: object) -> None:
    assert wanted_by({"package.json": json.dumps({"dependencies": document}).encode()}) in (None, "package.json names pg")
