"""The static buildpack's decisions that need no server: detection, process type, what static.json may say."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import ROOT, BuildpackRunner, write_tree

SERVER = ROOT / "buildpacks" / "static" / "server"


@pytest.fixture
def settings_module() -> Iterator[ModuleType]:
    yield from _loaded("settings")


@pytest.fixture
def site_files() -> Iterator[ModuleType]:
    yield from _loaded("site_files")


def _loaded(name: str) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(f"static_buildpack_{name}", SERVER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[spec.name]


@pytest.mark.parametrize(
    ("files", "detected"),
    [
        ({"static.json": "{}"}, True),
        ({"static.json": "{}", "package.json": "{}"}, True),
        ({"index.html": ""}, True),
        ({"public/index.html": ""}, True),
        ({"public_html/index.html": ""}, True),
        ({"index.html": "", "package.json": "{}"}, False),
        ({"index.html": "", "Procfile": "web: x"}, False),
        ({"index.html": "", "requirements.txt": ""}, False),
        ({"main.html": ""}, False),
    ],
)
def test_only_sites_of_plain_files_are_detected(buildpack_run: BuildpackRunner, files: dict[str, str], detected: bool) -> None:
    answer = buildpack_run("static", files).detect()
    assert (answer.returncode == 0) == detected
    assert (answer.stdout == "Static\n") == detected


def test_the_web_process_is_the_file_server(buildpack_run: BuildpackRunner) -> None:
    assert "  web: 'python3 .heroku/static/serve.py'\n" in buildpack_run("static", {"index.html": ""}).release().stdout


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "static.json is not JSON"),
        ("[]", "static.json must be an object"),
        ('{"root": "../.."}', 'root "../.." lies outside the app'),
        ('{"root": "nowhere"}', 'root "nowhere" is not a directory'),
        ('{"root": 4}', "root must be a piece of text"),
        ('{"clean_urls": "yes"}', "clean_urls must be true or false"),
        ('{"routes": ["/**"]}', "routes must be an object"),
        ('{"redirects": {"/a": "/b"}}', '"/a" must be an object with a "url"'),
        ('{"redirects": {"/a": {"url": "/b", "status": 200}}}', "status must be one of 301"),
        ('{"headers": {"/": {"X-Bad": "a\\r\\nSet-Cookie: b"}}}', '"X-Bad" is not a header'),
        ('{"headers": {"/": {"X Bad": "a"}}}', '"X Bad" is not a header'),
    ],
)
def test_a_wrong_static_json_is_named_in_one_sentence(settings_module: ModuleType, tmp_path: Path, text: str, complaint: str) -> None:
    write_tree(tmp_path, {"static.json": text})
    with pytest.raises(settings_module.Invalid, match=re.escape(complaint)):
        settings_module.read(tmp_path)


def test_a_root_behind_a_symbolic_link_out_of_the_app_is_refused(settings_module: ModuleType, tmp_path: Path) -> None:
    app = tmp_path / "app"
    write_tree(app, {"static.json": '{"root": "dist"}'})
    (app / "dist").symlink_to("/etc")
    with pytest.raises(settings_module.Invalid, match="outside the app"):
        settings_module.read(app)


@pytest.mark.parametrize(("folders", "root"), [(("public", "public_html"), "public_html"), (("public",), "public"), ((), ".")])
def test_the_root_has_a_default(settings_module: ModuleType, tmp_path: Path, folders: tuple[str, ...], root: str) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir()
    assert settings_module.read(tmp_path).root == (tmp_path / root).resolve()


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("/**", "/any/thing", True),
        ("/*", "/one", True),
        ("/*", "/one/two", False),
        ("/assets/**", "/assets/a/b.js", True),
        ("/assets/**", "/other", False),
        ("/a.b", "/axb", False),
    ],
)
def test_patterns_match_whole_paths(settings_module: ModuleType, glob: str, path: str, fits: bool) -> None:
    assert bool(settings_module.pattern(glob).fullmatch(path)) == fits


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("/index.html", "no-cache"),
        ("/docs/", "no-cache"),
        ("/main.3f9a1c2e.js", "year"),
        ("/css/style-0123abcdef.css", "year"),
        ("/assets/index-BxK3a_9d.js", "year"),
        ("/static/js/main.1a2b3c4d.chunk.js", "year"),
        ("/favicon.ico", "minutes"),
        ("/js/jquery-deadbeef.js", "minutes"),
        ("/js/settings-advanced.js", "minutes"),
        ("/assets/app-settings.js", "minutes"),
    ],
)
def test_only_fingerprinted_names_are_kept_for_a_year(site_files: ModuleType, url: str, kept: str) -> None:
    words = {"no-cache": "no-cache", "year": "public, max-age=31536000, immutable", "minutes": "public, max-age=300"}
    assert site_files.cache_control(url) == words[kept]


def test_hidden_files_and_links_out_of_the_root_are_not_pages(site_files: ModuleType, tmp_path: Path) -> None:
    app = tmp_path / "app"
    write_tree(app, dict.fromkeys(("index.html", "static.json", "Procfile", ".env", ".git/config", ".well-known/acme", "a/b.txt"), "x"))
    write_tree(tmp_path, {"secret": "x", "folder/secret": "x"})
    (app / "out.txt").symlink_to(tmp_path / "secret")
    (app / "outside").symlink_to(tmp_path / "folder")
    (app / "to-hidden.txt").symlink_to(".env")
    (app / "in.txt").symlink_to("a/b.txt")
    (app / "loop").symlink_to(".")
    names = [name for name, _ in site_files.pages(app.resolve(), app.resolve())]
    assert sorted(names) == [".well-known/acme", "a/b.txt", "in.txt", "index.html"]
