"""Config vars, release phase, rollback. Source: Dev Center, config-vars, release-phase, releases."""

from __future__ import annotations

from .conftest import NewApp
from .person import App
from .rig import eventually

SHOWS_COLOUR = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"CODE {os.environ.get('COLOUR', 'none')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Page).serve_forever()
"""


def colour_app(code: str, release: str = "") -> dict[str, str]:
    """An app that answers with its code's name and the config var COLOUR."""
    return {
        "app.py": SHOWS_COLOUR.replace("CODE", code),
        "requirements.txt": "",
        "Procfile": f"web: python app.py\n{release}",
    }


def becomes(app: App, text: str) -> None:
    """Waits for the app's answer."""
    eventually(lambda: app.visit().text == text, f"the answer `{text}`")


def test_setting_a_config_var_makes_a_release_and_the_app_sees_it(make_app: NewApp) -> None:
    app = make_app(colour_app("one"))
    app.push()
    assert app.visit().text == "one none"
    app.senryu("config:set", "COLOUR=deep red")
    becomes(app, "one deep red")
    assert app.releases()[0]["version"] == 3
    assert app.senryu("config:get", "COLOUR").stdout == "deep red\n"
    app.senryu("config:unset", "COLOUR")
    becomes(app, "one none")
    log = app.logged("Release v4 created")
    assert "COLOUR" in log
    assert "deep red" not in log


def test_a_rollback_restores_code_and_config(make_app: NewApp) -> None:
    app = make_app(colour_app("one"))
    app.push()
    app.senryu("config:set", "COLOUR=red")
    app.deploy(colour_app("two"))
    app.senryu("config:set", "COLOUR=blue")
    becomes(app, "two blue")
    app.senryu("releases:rollback", "v3")
    becomes(app, "one red")
    assert app.releases()[0]["description"] == "Rollback to v3"
    assert app.senryu("config:get", "COLOUR").stdout == "red\n"
    refused = app.senryu("releases:rollback", "v99", check=False)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr


def test_a_release_command_runs_before_the_release_serves_and_its_output_reaches_the_pusher(make_app: NewApp) -> None:
    app = make_app(colour_app("one", 'release: echo "migrating as $DYNO for $COLOUR"\n'), "--no-remote")
    app.git("remote", "add", "senryu", f"{app.copy.url}/{app.name}.git")
    app.owner.senryu("git:remote", "-a", app.name, cwd=app.folder)
    app.senryu("config:set", "COLOUR=green")
    said = app.push().stderr
    assert "Running release command" in said
    assert "migrating as release." in said and "for green" in said
    becomes(app, "one green")
    assert "for green" in app.senryu("releases:output").stdout
    app.senryu("config:set", "COLOUR=black")
    becomes(app, "one black")
    assert app.log().count("for black") == 1


def test_a_failing_release_command_leaves_the_release_before_it_serving(make_app: NewApp) -> None:
    app = make_app(colour_app("one"))
    app.push()
    app.commit(colour_app("two", "release: echo no luck; exit 7\n"))
    refused = app.push(check=False)
    assert refused.returncode != 0
    assert "no luck" in refused.stderr
    assert "Release v3 failed" in refused.stderr
    assert app.visit().text == "one none"
    assert app.releases()[0]["status"] == "failed"
    assert "Released v4" in app.deploy(colour_app("three", "release: true\n"))
    becomes(app, "three none")
    app.senryu("config:set", "COLOUR=grey")
    becomes(app, "three grey")
