"""The Node.js buildpack: what it answers without a registry."""

from __future__ import annotations

import json
import shutil

import pytest

from .conftest import ROOT, BuildpackRunner

needs_node = pytest.mark.skipif(
    not (shutil.which("node", path="/usr/bin:/usr/local/bin") and shutil.which("npm", path="/usr/bin:/usr/local/bin")),
    reason="needs the stack's Node.js (Debian: nodejs npm)",
)
SERVER = """
const server = require('http').createServer((request, answer) => answer.end([process.env.NODE_ENV,
  process.env.WEB_CONCURRENCY, process.env.WEB_MEMORY].join(' '))).listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
"""


def package(**fields: object) -> str:
    return json.dumps({"name": "shop", "version": "1.0.0", **fields})


def test_an_app_with_package_json_is_detected_as_nodejs(buildpack_run: BuildpackRunner) -> None:
    answer = buildpack_run("nodejs", {"package.json": "{}"}).detect()
    assert (answer.returncode, answer.stdout) == (0, "Node.js\n")


def test_an_app_without_package_json_is_not_detected(buildpack_run: BuildpackRunner) -> None:
    assert buildpack_run("nodejs", {"app.py": ""}).detect().returncode == 1


def test_a_start_script_makes_the_default_web_process(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", {"package.json": package(scripts={"start": "node x.js"})})
    assert run.release().stdout == "---\ndefault_process_types:\n  web: npm start\n"


def test_no_start_script_and_no_server_js_make_no_default_process(buildpack_run: BuildpackRunner) -> None:
    assert buildpack_run("nodejs", {"package.json": package()}).release().stdout == "--- {}\n"


def test_a_plug_and_play_app_is_started_by_yarn(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", {"package.json": package(scripts={"start": "node x.js"}), ".pnp.cjs": ""})
    assert "web: yarn start" in run.release().stdout


def test_a_broken_package_json_fails_with_its_line(buildpack_run: BuildpackRunner) -> None:
    build = buildpack_run("nodejs", {"package.json": '{\n  "name": oops\n}'}).compile()
    assert build.returncode == 1
    assert " !     package.json is not valid JSON: Expecting value on line 2." in build.stdout


@needs_node
def test_two_lock_files_fail_and_are_named(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", {"package.json": package(), "yarn.lock": "", "package-lock.json": "{}"})
    build = run.compile()
    assert build.returncode == 1
    assert " !     The app has more than one lock file: package-lock.json yarn.lock." in build.stdout


@needs_node
def test_a_failing_build_script_fails_the_build_with_the_next_step(buildpack_run: BuildpackRunner) -> None:
    build = buildpack_run("nodejs", {"package.json": package(scripts={"build": "echo half; exit 3"})}).compile()
    assert build.returncode == 1
    assert "       half\n" in build.stdout
    assert " !     Run `npm run build` on your machine, correct what fails and push again." in build.stdout


@needs_node
def test_build_scripts_run_in_herokus_order(buildpack_run: BuildpackRunner) -> None:
    scripts = {name: f"echo {name} >> order" for name in ("heroku-prebuild", "build", "heroku-postbuild", "heroku-cleanup")}
    run = buildpack_run("nodejs", {"package.json": package(scripts=scripts)})
    assert run.compile().returncode == 0
    assert (run.app / "order").read_text().split() == ["heroku-prebuild", "heroku-postbuild", "heroku-cleanup"]


@needs_node
def test_config_vars_reach_the_build_but_path_does_not(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", {"package.json": package(scripts={"build": "echo colour=$COLOUR"})})
    run.config = {"COLOUR": "light blue", "PATH": "/nowhere", "bad-name": "x"}
    build = run.compile()
    assert "       colour=light blue\n" in build.stdout


@needs_node
def test_a_dyno_gets_production_and_concurrency_by_its_memory(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", {"package.json": package(scripts={"start": "node server.js"}), "server.js": SERVER})
    assert run.compile().returncode == 0
    with run.started("exec node server.js", MEMORY_AVAILABLE="2048") as app:
        assert app.get("/").body == b"production 4 512"
        assert app.terminate() == 0
    with run.started("exec node server.js", WEB_CONCURRENCY="7", NODE_ENV="staging") as app:
        assert app.get("/").body == b"staging 7 512"


@needs_node
def test_cache_directories_come_back_in_the_next_build(buildpack_run: BuildpackRunner) -> None:
    text = package(scripts={"build": "mkdir -p .next/cache; echo x >> .next/cache/count"}, cacheDirectories=[".next/cache"])
    run = buildpack_run("nodejs", {"package.json": text})
    run.compile()
    shutil.rmtree(run.app / ".next")
    build = run.compile()
    assert "       Restored .next/cache\n" in build.stdout
    assert (run.app / ".next/cache/count").read_text() == "x\nx\n"


@needs_node
def test_the_next_buildpack_gets_node_by_the_export_file(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", {"package.json": package()})
    run.compile()
    assert f"{run.app}/.heroku/node/bin" in (run.buildpack / "export").read_text()


@needs_node
def test_a_registry_that_cannot_be_reached_is_named_in_the_error(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", {"package.json": package(engines={"node": "4.x"})})
    run.config = {"NPM_CONFIG_REGISTRY": "http://127.0.0.1:9/"}
    build = run.compile()
    assert build.returncode == 1
    assert "Node.js `4.x` could not be fetched: the registry cannot be reached at http://127.0.0.1:9/" in build.stdout


@pytest.mark.parametrize("name", ["ruby", "go", "php"])
@pytest.mark.parametrize("file", ["output.sh", "config_vars.sh"])
def test_the_parts_copied_into_each_buildpack_are_the_same(name: str, file: str) -> None:
    assert (ROOT / "buildpacks" / name / "lib" / file).read_text() == (ROOT / "buildpacks/nodejs/lib" / file).read_text()
