"""The Python buildpack on apps that need no package registry."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import ROOT, BuildpackRunner

PYTHON_WEB = ROOT / "examples" / "python-web"
STACK_PYTHON = "/usr/bin/python3"


@pytest.mark.parametrize("manifest", ["requirements.txt", "uv.lock", "pyproject.toml", "Pipfile", "Pipfile.lock", "setup.py"])
def test_each_python_manifest_is_detected(buildpack_run: BuildpackRunner, manifest: str) -> None:
    detected = buildpack_run("python", {manifest: ""}).detect()
    assert (detected.returncode, detected.stdout) == (0, "Python\n")


def test_an_app_without_a_manifest_is_not_detected(buildpack_run: BuildpackRunner) -> None:
    detected = buildpack_run("python", {"app.py": ""}).detect()
    assert detected.returncode == 1
    assert "No requirements.txt" in detected.stdout


def test_an_app_without_dependencies_builds_offline_and_answers(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("python", PYTHON_WEB)
    compiled = run.compile(UV_OFFLINE="1")
    assert compiled.returncode == 0, compiled.stdout
    assert "-----> No dependencies to install" in compiled.stdout

    with run.started("python app.py", HEROKU_RELEASE_VERSION="v7") as app:
        assert app.get("/").body == b"Hello from Senryu, release v7\n"
        assert app.get("/other").status == 404
        assert app.get("/", method="HEAD").body == b""
        assert app.terminate() == 0


def test_a_dyno_gets_defaults_that_config_vars_override(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("python", {**_server("os.environ['WEB_CONCURRENCY'] + os.environ['GUNICORN_CMD_ARGS']")})
    assert run.compile().returncode == 0
    with run.started("python app.py") as app:
        workers, _, arguments = app.get("/").body.decode().partition("-")
        assert int(workers) >= 1
        assert arguments == "-access-logfile -"
    with run.started("python app.py", WEB_CONCURRENCY="9", GUNICORN_CMD_ARGS="-") as app:
        assert app.get("/").body == b"9-"


def test_the_build_moves_to_another_directory(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("python", _server("sys.prefix"))
    assert run.compile().returncode == 0
    elsewhere = run.home / "moved"
    run.app.rename(elsewhere)
    run.app = elsewhere
    with run.started("python app.py") as app:
        assert app.get("/").body.decode() == str(elsewhere / ".heroku" / "python")


def test_later_buildpacks_find_python_through_the_export_file(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("python", PYTHON_WEB)
    run.compile()
    assert f"export PATH={run.app}/.heroku/python/bin:" in (run.buildpack / "export").read_text()


def test_hooks_of_the_app_run_around_the_installation(buildpack_run: BuildpackRunner) -> None:
    hook = "#!/bin/bash\necho {0} with $COLOUR on $(command -v python || echo none)\n"
    files = {"requirements.txt": "", "bin/pre_compile": hook.format("before"), "bin/post_compile": hook.format("after")}
    run = buildpack_run("python", files)
    run.config["COLOUR"] = "blue"
    said = run.compile().stdout
    assert said.index("       before with blue on none") < said.index("No dependencies") < said.index("       after with blue")
    assert f"on {run.app}/.heroku/python/bin/python" in said


def test_a_failing_hook_fails_the_build(buildpack_run: BuildpackRunner) -> None:
    compiled = buildpack_run("python", {"requirements.txt": "", "bin/post_compile": "echo oh no; exit 3"}).compile()
    assert compiled.returncode == 1
    assert "       oh no" in compiled.stdout
    assert " !     The app's bin/post_compile ended with an error." in compiled.stdout


def test_config_vars_cannot_break_the_build(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("python", PYTHON_WEB)
    run.config.update(PATH="/nowhere", LD_PRELOAD="/nowhere.so", PYTHONHOME="/nowhere", IFS="x", UID="7", HOME="/nowhere")
    compiled = run.compile()
    assert compiled.returncode == 0, compiled.stdout
    assert "nowhere" not in compiled.stdout


@pytest.mark.parametrize("version", ["3", "{minor}", "{full}", ">=3.8", ">=3.8,<4", "python-{full}"])
def test_the_stacks_python_is_used_when_it_satisfies_the_request(buildpack_run: BuildpackRunner, version: str) -> None:
    asked = version.format(full=_stack_version(), minor=_stack_version().rpartition(".")[0])
    compiled = buildpack_run("python", {"requirements.txt": "", ".python-version": f"# wanted\n{asked}\n"}).compile(UV_OFFLINE="1")
    assert compiled.returncode == 0, compiled.stdout
    assert f"Using the stack's Python {_stack_version()}, which .python-version accepts" in compiled.stdout


@pytest.mark.parametrize(
    ("file", "text"), [("runtime.txt", "python-3.99.1\n"), (".python-version", "3.99.1"), ("runtime.txt", "python-2.7.18")]
)
def test_a_python_that_cannot_be_had_fails_with_the_versions_there_are(buildpack_run: BuildpackRunner, file: str, text: str) -> None:
    compiled = buildpack_run("python", {"requirements.txt": "", file: text}).compile(UV_OFFLINE="1")
    assert compiled.returncode == 1
    assert f"asked for in {file}" in compiled.stdout
    assert f"This stack has Python {_stack_version()}" in compiled.stdout


@pytest.mark.parametrize("text", ["", "python\n", "$(touch pwned)", "/usr/bin/env", "3.12; rm -rf ."])
def test_what_is_not_a_version_is_refused(buildpack_run: BuildpackRunner, text: str) -> None:
    compiled = buildpack_run("python", {"requirements.txt": "", "runtime.txt": text}).compile()
    assert compiled.returncode == 1
    assert "runtime.txt does not name a Python version" in compiled.stdout


def test_a_project_file_that_asks_for_a_newer_python_is_heeded(buildpack_run: BuildpackRunner) -> None:
    project = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.99"\n'
    compiled = buildpack_run("python", {"pyproject.toml": project}).compile(UV_OFFLINE="1")
    assert compiled.returncode == 1
    assert "Python >=3.99 (asked for in pyproject.toml" in compiled.stdout


def test_without_uv_the_build_says_what_is_missing(buildpack_run: BuildpackRunner) -> None:
    compiled = buildpack_run("python", PYTHON_WEB).compile(PATH="/usr/bin:/bin")
    assert compiled.returncode == 1
    assert "needs the program uv" in compiled.stdout


@pytest.mark.parametrize(
    ("installed", "files", "command"),
    [
        ([], {"app.py": ""}, "python app.py"),
        ([], {"main.py": "app = 1"}, "python main.py"),
        (["gunicorn"], {"app.py": "app = Flask(__name__)"}, "gunicorn app:app"),
        (["gunicorn"], {"wsgi.py": "application: App = make()"}, "gunicorn wsgi:application"),
        (["gunicorn"], {"app.py": "if app == 1: pass"}, "python app.py"),
        (["uvicorn", "starlette"], {"main.py": "app = FastAPI()"}, "uvicorn main:app --host 0.0.0.0 --port $PORT"),
        (["uvicorn", "gunicorn"], {"app.py": "app = Flask()"}, "gunicorn app:app"),
        (["django", "gunicorn"], {"manage.py": "", "shop/wsgi.py": ""}, "gunicorn shop.wsgi"),
        (["django", "gunicorn"], {"src/manage.py": "", "src/shop/wsgi.py": ""}, "gunicorn --chdir src/ shop.wsgi"),
        (["django"], {"manage.py": "", "shop/wsgi.py": ""}, "python manage.py runserver 0.0.0.0:$PORT"),
    ],
)
def test_the_default_web_process_is_guessed(
    buildpack_run: BuildpackRunner, installed: list[str], files: dict[str, str], command: str
) -> None:
    packages = {f".heroku/python/lib/python3.11/site-packages/{name}/__init__.py": "" for name in installed}
    released = buildpack_run("python", {**files, **packages}).release()
    assert f"default_process_types:\n  web: '{command}'\n" in released.stdout


def test_without_a_guess_there_are_no_default_process_types(buildpack_run: BuildpackRunner) -> None:
    released = buildpack_run("python", {"requirements.txt": ""}).release()
    assert released.stdout == "---\naddons: []\nconfig_vars: {}\ndefault_process_types: {}\n"


def _server(expression: str) -> dict[str, str]:
    code = f"""
import http.server, os, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str({expression}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""
    return {"app.py": code, "requirements.txt": "# nothing\n"}


def _stack_version() -> str:
    said = subprocess.run([STACK_PYTHON, "-V"], capture_output=True, text=True, check=True, timeout=10)
    return said.stdout.split()[1]
