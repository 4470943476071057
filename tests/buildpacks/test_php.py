"""The PHP buildpack: Composer without a network, and the servers it brings."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import ROOT, BuildpackRun, BuildpackRunner, write_tree

EXAMPLE = ROOT / "examples" / "php-web"
ADMIN_PATH = "/usr/sbin:/usr/bin:/bin"
needs_php = pytest.mark.skipif(not shutil.which("php", path="/usr/bin"), reason="needs the stack's PHP (Debian: php-cli)")
needs_composer = pytest.mark.skipif(not shutil.which("composer", path="/usr/bin"), reason="needs Debian's composer")
needs_nginx = pytest.mark.skipif(
    not (shutil.which("nginx", path=ADMIN_PATH) and list(Path("/usr/sbin").glob("php-fpm*"))),
    reason="needs Debian's php-fpm and nginx-light",
)
ECHO = """<?php
header('X-Https: ' . ($_SERVER['HTTPS'] ?? 'no'));
echo PHP_SAPI, ' ', $_SERVER['REQUEST_URI'], ' ', $_GET['q'] ?? '-', ' ', getenv('COLOUR') ?: '-', ' ',
  ini_get('display_errors') ?: 'hidden';
"""


def composer_json(**fields: object) -> str:
    return json.dumps({"name": "senryu/shop", "license": "MIT", **fields})


def with_local_package() -> dict[str, str]:
    """An app whose one package comes from a folder beside it, so that Composer needs no network."""
    package = {"name": "acme/greeting", "version": "1.0.0", "autoload": {"psr-4": {"Acme\\": "src/"}}}
    locked = {**package, "dist": {"type": "path", "url": "packages/greeting", "reference": "1"}, "type": "library",
              "transport-options": {"symlink": False}}
    lock = {"packages": [locked], "packages-dev": [], "aliases": [], "minimum-stability": "stable", "stability-flags": {},
            "prefer-stable": False, "prefer-lowest": False, "platform": {}, "platform-dev": {}, "plugin-api-version": "2.3.0"}
    return {
        "composer.json": composer_json(
            require={"acme/greeting": "1.0.0"},
            repositories=[{"type": "path", "url": "packages/greeting", "options": {"symlink": False}}, {"packagist.org": False}],
        ),
        "composer.lock": json.dumps(lock),
        "packages/greeting/composer.json": json.dumps(package),
        "packages/greeting/src/Greeting.php": "<?php namespace Acme; class Greeting { const TEXT = 'good day'; }",
        "index.php": "<?php require 'vendor/autoload.php'; echo Acme\\Greeting::TEXT;",
    }


def compiled(buildpack_run: BuildpackRunner, source: Path | Mapping[str, str]) -> BuildpackRun:
    run = buildpack_run("php", source)
    build = run.compile()
    assert build.returncode == 0, build.stdout
    return run


def without_fpm(run: BuildpackRun) -> None:
    (run.app / ".heroku/php/bin/php-fpm").unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["composer.json", "index.php"])
def test_an_app_with_composer_json_or_index_php_is_detected(buildpack_run: BuildpackRunner, name: str) -> None:
    answer = buildpack_run("php", {name: ""}).detect()
    assert (answer.returncode, answer.stdout) == (0, "PHP\n")


def test_another_app_is_not_detected(buildpack_run: BuildpackRunner) -> None:
    assert buildpack_run("php", {"index.html": ""}).detect().returncode == 1


@pytest.mark.parametrize(("name", "root"), [("public/index.php", " public/"), ("web/index.php", " web/"), ("index.php", "")])
def test_the_document_root_is_found(buildpack_run: BuildpackRunner, name: str, root: str) -> None:
    assert f"  web: heroku-php-nginx{root}\n" in buildpack_run("php", {name: ""}).release().stdout


@needs_php
@needs_composer
@needs_nginx
def test_the_example_is_served_by_nginx_and_fpm(buildpack_run: BuildpackRunner) -> None:
    run = compiled(buildpack_run, EXAMPLE)
    with run.started("exec heroku-php-nginx public/", GREETING="Good <day>", WEB_CONCURRENCY="2") as app:
        page = app.get("/some/page?x=1")
        assert b"<h1>Good &lt;day&gt;</h1>" in page.body and b"<p>/some/page?x=1, PHP 8" in page.body
        assert app.get("/style.css").headers["Content-Type"] == "text/css; charset=utf-8"
        assert app.get("/.user.ini").status == 404
        assert app.terminate() == 0


@needs_php
@needs_nginx
def test_php_sees_query_config_and_https_and_hides_errors(buildpack_run: BuildpackRunner) -> None:
    run = compiled(buildpack_run, {"index.php": ECHO, "Procfile": "web: vendor/bin/heroku-php-nginx"})
    with run.started("exec vendor/bin/heroku-php-nginx", COLOUR="blue") as app:
        answer = app.get("/?q=tea", headers={"X-Forwarded-Proto": "https"})
        assert answer.body == b"fpm-fcgi /?q=tea tea blue hidden"
        assert answer.headers["X-Https"] == "on"
        assert app.get("/", headers={"X-Forwarded-Proto": "http"}).headers["X-Https"] == "no"
        assert app.get("/Procfile").status == 404
        assert app.get("/composer.json").status == 404


@needs_php
@needs_nginx
def test_a_script_error_reaches_the_log_and_not_the_page(buildpack_run: BuildpackRunner) -> None:
    run = compiled(buildpack_run, {"index.php": "<?php nothing_here();"})
    with run.started("exec heroku-php-nginx") as app:
        answer = app.get("/")
        assert answer.status == 500 and b"nothing_here" not in answer.body
        app.terminate()
        assert "Call to undefined function nothing_here()" in app.output.read_text()


@needs_php
@needs_nginx
def test_a_request_under_way_is_finished_after_sigterm(buildpack_run: BuildpackRunner) -> None:
    run = compiled(buildpack_run, {"index.php": "<?php touch(__DIR__ . '/began'); usleep(1500000); echo 'finished';"})
    with run.started("exec heroku-php-nginx") as app, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(app.get, "/")
        began = threading.Event()
        for _ in range(200):
            if (run.app / "began").exists():
                break
            began.wait(0.05)
        assert app.terminate() == 0
        assert answer.result(timeout=10).body == b"finished"


@needs_php
@needs_nginx
def test_nginx_rules_of_the_app_replace_the_front_controller(buildpack_run: BuildpackRunner) -> None:
    rules = "location / { try_files $uri @app; }\nlocation @app { rewrite ^(.*)$ /index.php?q=$1 last; }\n"
    run = compiled(buildpack_run, {"web/index.php": ECHO, "nginx.conf": rules})
    with run.started("exec heroku-php-nginx -C nginx.conf web/") as app:
        assert app.get("/tea").body == b"fpm-fcgi /tea /tea - hidden"


@needs_php
def test_without_nginx_phps_own_server_answers(buildpack_run: BuildpackRunner) -> None:
    run = compiled(buildpack_run, {"public/index.php": ECHO})
    without_fpm(run)
    with run.started("exec heroku-php-apache2 public/", WEB_CONCURRENCY="2") as app:
        answer = app.get("/?q=tea")
        assert app.terminate() == 0
        assert answer.body == b"cli-server /?q=tea tea - hidden"
        assert ".htaccess and Apache configuration are not read" in app.output.read_text()


@needs_php
def test_a_missing_document_root_is_named(buildpack_run: BuildpackRunner) -> None:
    run = compiled(buildpack_run, {"index.php": ""})
    with pytest.raises(AssertionError, match="there is no document root nowhere/"), run.started("exec heroku-php-nginx nowhere/"):
        pass


@needs_php
@needs_composer
def test_locked_packages_are_installed_once(buildpack_run: BuildpackRunner) -> None:
    run = compiled(buildpack_run, with_local_package())
    shutil.rmtree(run.app)
    write_tree(run.app, with_local_package())
    again = run.compile()
    assert "       composer.lock unchanged since the last build: nothing to install\n" in again.stdout, again.stdout
    without_fpm(run)
    with run.started("exec heroku-php-nginx") as app:
        answer = app.get("/")
        app.terminate()
        assert answer.body == b"good day"


@needs_php
@needs_composer
def test_packagist_out_of_reach_is_explained(buildpack_run: BuildpackRunner) -> None:
    files = {"composer.json": composer_json(require={"monolog/monolog": "^3.0"}), "composer.lock": "{}"}
    run = buildpack_run("php", files)
    run.config = {"PACKAGIST": "http://127.0.0.1:9"}
    build = run.compile()
    assert build.returncode == 1
    assert " !     The app's packages cannot be installed: http://127.0.0.1:9 cannot be reached." in build.stdout
    assert "git add -f vendor" in build.stdout


@needs_php
@needs_composer
def test_packages_without_a_lock_file_are_refused(buildpack_run: BuildpackRunner) -> None:
    build = buildpack_run("php", {"composer.json": composer_json(require={"monolog/monolog": "^3.0"})}).compile()
    assert build.returncode == 1
    assert " !     composer.json requires packages but there is no composer.lock." in build.stdout


@needs_php
@needs_composer
@pytest.mark.parametrize(
    ("require", "said"),
    [
        ({"ext-nosuch": "*"}, " !     The app needs the PHP extension `nosuch`, which the stack has not."),
        ({"php": "^9.9"}, " !     The app asks for another PHP than the stack's 8."),
    ],
)
def test_what_the_stack_has_not_is_named(buildpack_run: BuildpackRunner, require: dict[str, str], said: str) -> None:
    build = buildpack_run("php", {"composer.json": composer_json(require=require)}).compile()
    assert build.returncode == 1
    assert said in build.stdout, build.stdout


@needs_php
@needs_composer
def test_a_compile_script_runs_after_the_install(buildpack_run: BuildpackRunner) -> None:
    run = compiled(buildpack_run, {"composer.json": composer_json(scripts={"compile": "touch compiled"})})
    assert (run.app / "compiled").exists()
