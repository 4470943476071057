"""The Python buildpack on the examples with real packages from PyPI: Flask, Django, a uv lock."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .conftest import DEVELOPMENT_TOOLS, ROOT, BuildpackRun, BuildpackRunner, write_tree

pytestmark = pytest.mark.registry

FLASK = ROOT / "examples" / "flask-gunicorn"
DJANGO = ROOT / "examples" / "django-release"

LOCKED = """
import http.server, os, markupsafe
print("markupsafe", markupsafe.__version__)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
PROJECT = '[project]\nname = "locked"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["markupsafe==2.1.5"]\n'


def _build(run: BuildpackRun, **extra: str) -> str:
    compiled = run.compile(**extra)
    assert compiled.returncode == 0, compiled.stdout
    return compiled.stdout


def test_flask_under_gunicorn_is_installed_once_and_answers(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("python", FLASK)
    assert "        + gunicorn==" in _build(run)
    run.replace_app(FLASK)
    assert "-----> Using cached dependencies" in _build(run, UV_OFFLINE="1")
    assert "web: 'gunicorn app:app'" in run.release().stdout

    with run.started("gunicorn app:app") as app:
        assert b"Hello, world" in app.get("/").body
        assert app.get("/health").body == b"ok\n"
        assert app.terminate() == 0
        assert '"GET /health HTTP/1.1" 200' in app.output.read_text()


def test_django_collects_static_files_migrates_and_answers(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("python", DJANGO)
    assert "-----> $ python manage.py collectstatic --noinput" in _build(run)
    assert "web: 'gunicorn project.wsgi'" in run.release().stdout

    with run.started("gunicorn project.wsgi") as app:
        assert b"Attach a database" in app.get("/").body
    with run.started("python manage.py migrate --noinput && gunicorn project.wsgi") as app:
        page = app.get("/").body.decode()
        assert "Nobody yet." in page
        stylesheet = page.partition('href="')[2].partition('"')[0]
        styled = app.get(stylesheet)
        assert (styled.status, styled.headers["Cache-Control"]) == (200, "max-age=315360000, public, immutable")


@pytest.fixture
def broken_django(buildpack_run: BuildpackRunner) -> BuildpackRun:
    run = buildpack_run("python", DJANGO)
    settings = run.app / "project" / "settings.py"
    settings.write_text(settings.read_text().replace("STATIC_ROOT =", "UNUSED ="))
    return run


def test_a_failing_collectstatic_fails_the_build_unless_disabled(broken_django: BuildpackRun) -> None:
    failed = broken_django.compile()
    assert failed.returncode == 1
    assert "STATIC_ROOT" in failed.stdout
    assert " !     Collecting the static files of this Django app failed" in failed.stdout

    broken_django.config["DISABLE_COLLECTSTATIC"] = "1"
    assert "Skipping collectstatic" in _build(broken_django, UV_OFFLINE="1")


def test_django_without_static_files_builds(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("python", DJANGO)
    settings = run.app / "project" / "settings.py"
    settings.write_text(settings.read_text().replace('"django.contrib.staticfiles", ', ""))
    assert "nothing to collect" in _build(run)


def test_a_uv_lock_is_installed_as_locked_without_its_development_group(buildpack_run: BuildpackRunner, tmp_path: Path) -> None:
    source = tmp_path / "locked"
    write_tree(source, {"pyproject.toml": PROJECT + '[dependency-groups]\ndev = ["click"]\n', "app.py": LOCKED})
    environ = {"PATH": f"{DEVELOPMENT_TOOLS}:/usr/bin:/bin", "HOME": str(tmp_path), "UV_SYSTEM_CERTS": "1"}
    environ |= {name: os.environ[name] for name in ("SSL_CERT_FILE", "UV_DEFAULT_INDEX") if name in os.environ}
    lock = ["uv", "lock", "--quiet", "--python", "/usr/bin/python3"]
    subprocess.run(lock, cwd=source, env=environ, check=True, timeout=60)

    run = buildpack_run("python", source)
    said = _build(run)
    assert "        + markupsafe==2.1.5" in said
    assert "click" not in said
    run.replace_app(source)
    assert "-----> Using cached dependencies (uv.lock is unchanged)" in _build(run, UV_OFFLINE="1")
    with run.started("python app.py") as app:
        assert app.output.read_text().startswith("markupsafe 2.1.5\n")


def test_a_version_that_does_not_exist_fails_with_its_name(buildpack_run: BuildpackRunner) -> None:
    compiled = buildpack_run("python", {"requirements.txt": "flask==99.98.97\n"}).compile()
    assert compiled.returncode == 1
    assert "flask==99.98.97" in compiled.stdout
    assert "could not be installed" in compiled.stdout
