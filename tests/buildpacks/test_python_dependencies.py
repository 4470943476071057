"""How the Python buildpack installs, keeps and reinstalls dependencies; from a folder of wheels, so no registry is asked."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from .conftest import BuildpackRun, BuildpackRunner, write_tree

SHOW = """
import http.server, os, word
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(word.WORD.encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""
METADATA = "Metadata-Version: 2.1\nName: word\nVersion: {}\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

# A build backend in the package's own tree: building it needs no registry.
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "word"\nversion = "1"\n'
BACKEND = f"""
import pathlib, zipfile
def wheel(directory, name, text):
    with zipfile.ZipFile(pathlib.Path(directory, "word-1-py3-none-any.whl"), "w") as out:
        for path, content in [(name, text), ("word-1.dist-info/METADATA", {METADATA.format(1)!r}),
                              ("word-1.dist-info/WHEEL", {WHEEL!r}), ("word-1.dist-info/RECORD", "")]:
            out.writestr(path, content)
    return "word-1-py3-none-any.whl"
def build_wheel(directory, config_settings=None, metadata_directory=None):
    return wheel(directory, "word.py", pathlib.Path("word.py").read_text())
def build_editable(directory, config_settings=None, metadata_directory=None):
    return wheel(directory, "word.pth", str(pathlib.Path.cwd()) + "\\n")
"""


def _shelve(run: BuildpackRun, version: str, word: str) -> str:
    """Put a wheel of ``word`` where the build looks for packages; gives its hash."""
    shelf = run.home / "wheels"
    shelf.mkdir(exist_ok=True)
    path = shelf / f"word-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("word.py", f"WORD = {word!r}\ndef say(): print(WORD)\n")
        wheel.writestr(f"word-{version}.dist-info/METADATA", METADATA.format(version))
        wheel.writestr(f"word-{version}.dist-info/WHEEL", WHEEL)
        wheel.writestr(f"word-{version}.dist-info/entry_points.txt", "[console_scripts]\nsay-word = word:say\n")
        wheel.writestr(f"word-{version}.dist-info/RECORD", "".join(f"{name},,\n" for name in wheel.namelist()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def shelved(buildpack_run: BuildpackRunner) -> BuildpackRun:
    """An app that depends on ``word``, with versions 1 and 2 on the shelf."""
    run = buildpack_run("python", {"app.py": SHOW, "requirements.txt": "word==1\n"})
    _shelve(run, "1", "one")
    _shelve(run, "2", "the second")
    run.config["PIP_FIND_LINKS"] = str(run.home / "wheels")
    return run


def _push(run: BuildpackRun, files: Mapping[str, str], **extra: str) -> str:
    """A fresh checkout, built; gives what the person who pushed reads."""
    fresh = run.home / "checkout"
    write_tree(fresh, {"app.py": SHOW, **files})
    run.replace_app(fresh)
    for path in sorted(fresh.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    compiled = run.compile(UV_OFFLINE="1", **extra)
    assert compiled.returncode == 0, compiled.stdout
    return compiled.stdout


def _word(run: BuildpackRun) -> str:
    with run.started("python app.py") as app:
        return app.get("/").body.decode()


def test_a_second_build_with_unchanged_dependencies_installs_nothing(shelved: BuildpackRun) -> None:
    assert "-----> Installing dependencies from requirements.txt with uv" in _push(shelved, {"requirements.txt": "word==1\n"})
    (shelved.home / "wheels" / "word-1-py3-none-any.whl").unlink()

    again = _push(shelved, {"requirements.txt": "word==1\n", "new.py": ""}, UV_CACHE_DIR="/nowhere")
    assert "-----> Using cached dependencies (requirements.txt is unchanged)" in again
    assert "Installing" not in again
    assert _word(shelved) == "one"


def test_a_changed_manifest_installs_anew(shelved: BuildpackRun) -> None:
    _push(shelved, {"requirements.txt": "word==1\n"})
    assert "Installing dependencies" in _push(shelved, {"requirements.txt": "word==2\n"})
    assert _word(shelved) == "the second"


def test_a_changed_included_file_installs_anew(shelved: BuildpackRun) -> None:
    included = {"requirements.txt": "-r requirements/base.txt\n", "requirements/base.txt": "--constraint limits.txt\nword\n"}
    _push(shelved, {**included, "requirements/limits.txt": "word<2"})
    assert _word(shelved) == "one"
    assert "Using cached" in _push(shelved, {**included, "requirements/limits.txt": "word<2"})
    assert "Installing" in _push(shelved, {**included, "requirements/limits.txt": "word<3"})
    assert _word(shelved) == "the second"


def test_a_cache_on_another_file_system_works(shelved: BuildpackRun) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == shelved.app.stat().st_dev:
        pytest.skip("no second file system here")
    shelved.cache = other / f"senryu-{shelved.home.parent.name}-{shelved.app.stat().st_ino}"
    try:
        _push(shelved, {"requirements.txt": "word==1\n"})
        assert "Using cached" in _push(shelved, {"requirements.txt": "word==1\n"})
        assert _word(shelved) == "one"
    finally:
        shutil.rmtree(shelved.cache, ignore_errors=True)


def test_what_a_hook_adds_to_the_slug_is_not_in_the_cache(shelved: BuildpackRun) -> None:
    hooked = {"requirements.txt": "word==1\n", "bin/post_compile": "#!/bin/bash\npip install word==2\n"}
    _push(shelved, hooked)
    assert _word(shelved) == "the second"
    assert "Using cached" in _push(shelved, {"requirements.txt": "word==1\n"})
    assert _word(shelved) == "one"


def test_a_build_killed_while_storing_leaves_no_half_environment(shelved: BuildpackRun) -> None:
    _push(shelved, {"requirements.txt": "word==1\n"})
    (shelved.cache / "python" / "environment.key").unlink()
    assert "Installing dependencies" in _push(shelved, {"requirements.txt": "word==1\n"})


def test_installed_programs_are_found_and_can_be_moved(shelved: BuildpackRun) -> None:
    _push(shelved, {"requirements.txt": "word==1\n"})
    moved = shelved.home / "moved"
    shelved.app.rename(moved)
    shelved.app = moved
    with shelved.started("say-word; python app.py") as app:
        assert app.output.read_text().startswith("one\n")


def test_a_missing_package_fails_with_its_name_and_the_next_step(shelved: BuildpackRun) -> None:
    write_tree(shelved.app, {"requirements.txt": "word==1\nno-such-package==4\n"})
    compiled = shelved.compile(UV_OFFLINE="1")
    assert compiled.returncode == 1
    assert "no-such-package" in compiled.stdout
    assert " !     The dependencies in requirements.txt could not be installed with Python 3" in compiled.stdout
    assert not (shelved.cache / "python" / "environment").exists()


def test_a_wrong_hash_fails(shelved: BuildpackRun) -> None:
    write_tree(shelved.app, {"requirements.txt": f"word==1 --hash=sha256:{'0' * 64}\n"})
    compiled = shelved.compile(UV_OFFLINE="1")
    assert compiled.returncode == 1
    assert "hash" in compiled.stdout.lower()


def test_a_pipfile_lock_is_installed_with_its_hashes(shelved: BuildpackRun) -> None:
    digest = _shelve(shelved, "1", "one")
    lock = {
        "_meta": {"requires": {"python_version": "3"}, "sources": []},
        "default": {"word": {"version": "==1", "hashes": [f"sha256:{digest}"], "markers": "python_version >= '3.6'"}},
        "develop": {"no-such-package": {"version": "==1"}},
    }
    (shelved.app / "requirements.txt").unlink()
    assert "from Pipfile.lock" in _push(shelved, {"Pipfile": "", "Pipfile.lock": json.dumps(lock)})
    assert _word(shelved) == "one"


def test_a_pipfile_without_a_lock_is_installed(shelved: BuildpackRun) -> None:
    _push(shelved, {"Pipfile": '[packages]\nword = "==2"\n[dev-packages]\nno-such-package = "*"\n'})
    assert _word(shelved) == "the second"


def test_a_broken_pipfile_lock_says_so(buildpack_run: BuildpackRunner) -> None:
    compiled = buildpack_run("python", {"Pipfile.lock": "<<<<<<< HEAD"}).compile(UV_OFFLINE="1")
    assert compiled.returncode == 1
    assert "Pipfile.lock could not be read" in compiled.stdout


def test_a_projects_dependencies_are_installed_from_pyproject(shelved: BuildpackRun) -> None:
    _push(shelved, {"pyproject.toml": '[project]\nname = "site"\nversion = "1"\ndependencies = ["word==2"]\n'})
    assert _word(shelved) == "the second"


@pytest.mark.parametrize("requirement", ["./lib", "word @ file:./lib"])
def test_a_package_in_the_app_is_never_stale(shelved: BuildpackRun, requirement: str) -> None:
    package = {"requirements.txt": requirement + "\n", "lib/pyproject.toml": PROJECT, "lib/backend.py": BACKEND}
    _push(shelved, {**package, "lib/word.py": "WORD = 'first'\n"})
    assert _word(shelved) == "first"
    assert "Installing" in _push(shelved, {**package, "lib/word.py": "WORD = 'second'\n"})
    assert _word(shelved) == "second"


def test_an_editable_package_is_cached_and_follows_its_source(shelved: BuildpackRun) -> None:
    package = {"requirements.txt": "-e ./lib\n", "lib/pyproject.toml": PROJECT, "lib/backend.py": BACKEND}
    _push(shelved, {**package, "lib/word.py": "WORD = 'first'\n"})
    # Outside /app the environment is rewritten for /app: what is linked lives there at run time.
    links = list(shelved.app.glob(".heroku/python/lib/python*/site-packages/word.pth"))
    assert [link.read_text() for link in links] == ["/app/lib\n"]
    assert "Using cached" in _push(shelved, {**package, "lib/word.py": "WORD = 'second'\n"})


def test_pip_settings_reach_uv_and_secrets_do_not_reach_the_output(shelved: BuildpackRun) -> None:
    shelved.config["PIP_EXTRA_INDEX_URL"] = "https://me:hunter2@packages.invalid/simple"
    said = _push(shelved, {"requirements.txt": "--no-index\nword==1\n"})
    assert "hunter2" not in said
