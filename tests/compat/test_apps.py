"""Apps, config, domains, buildpacks, maintenance."""

from __future__ import annotations

import json
import subprocess

from system.person import App
from system.rig import eventually

from .client import Heroku


def test_apps_are_listed_shown_and_opened(heroku: Heroku, app: App) -> None:
    assert app.name in heroku.run("apps").stdout.splitlines()
    shown = heroku.run("apps:info").stdout
    assert "Stack: host" in " ".join(shown.split())
    assert "Dynos: web: 1" in " ".join(shown.split())
    info = json.loads(heroku.run("apps:info", "--json").stdout)
    assert info["app"]["id"] == heroku.ask(f"/apps/{app.name}")["id"]
    heroku.run("apps:open", "/about", BROWSER="true")
    assert app.visit().status == 200


def test_an_app_is_made_renamed_compared_and_destroyed(heroku: Heroku, app: App) -> None:
    folder = heroku.person.home / "other"
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True, timeout=30)
    name, later = f"o-{app.name}", f"p-{app.name}"
    heroku.run("apps:create", name, says=f"Creating {name}... done", cwd=folder)
    remote = subprocess.run(["git", "remote", "-v"], cwd=folder, capture_output=True, text=True, timeout=30, check=True).stdout
    assert f"heroku\thttps://localhost:{heroku.person.copy.tls_port}/{name}.git (push)" in remote
    heroku.run("apps:rename", later, says="done", cwd=folder)
    assert heroku.ask(f"/apps/{later}")["name"] == later
    heroku.run("apps:diff", app.name, later, says="slug (checksum)")
    heroku.run("apps:destroy", "-a", later, "--confirm", later, says="done", cwd=folder)
    assert later not in [each["name"] for each in heroku.ask("/apps")]
    heroku.refused("apps:info", "-a", later, says=f"Couldn't find the app `{later}`")


def test_config_vars_reach_the_dyno(heroku: Heroku, app: App) -> None:
    heroku.run("config:set", "COLOUR=blue", "SHAPE=a round one", says=f"restarting {app.name}... done, v")
    assert heroku.run("config:get", "SHAPE").stdout == "a round one\n"
    assert "COLOUR: blue" in " ".join(heroku.run("config").stdout.split())
    assert heroku.run("run", "printenv COLOUR").stdout == "blue\n"
    heroku.run("config:unset", "COLOUR", says="done, v")
    editor = heroku.person.home / "editor.sh"
    editor.write_text("#!/bin/sh\nsed -i 's/a round one/square/' \"$1\"\n")
    editor.chmod(0o755)
    with heroku.terminal("config:edit", "-a", app.name, EDITOR=str(editor), VISUAL=str(editor)) as terminal:
        terminal.await_text("with these values?")
        terminal.type("y\r")
        assert terminal.await_end() == 0
    heroku.passed.add("config:edit")
    assert heroku.ask(f"/apps/{app.name}/config-vars") == {"SHAPE": "square"}


def test_domains_come_and_go(heroku: Heroku, app: App) -> None:
    host = f"{app.name}.example.org"
    heroku.run("domains:add", host, says=f"Adding {host} to {app.name}... done")
    eventually(lambda: app.copy.visit(host).status == 200, "the app under its new name")
    assert host in heroku.run("domains").stdout
    heroku.run("domains:info", host, says=f"cname: {app.name}.localhost")
    heroku.run("domains:wait", host)
    heroku.run("domains:remove", host, says="done")
    heroku.run("domains:add", host)
    heroku.run("domains:clear", says="done")
    assert [each["kind"] for each in heroku.ask(f"/apps/{app.name}/domains")] == ["heroku"]


def test_buildpacks_come_from_our_registry(heroku: Heroku, app: App) -> None:
    heroku.run("buildpacks", says="has no Buildpacks")
    heroku.run("buildpacks:search", "python", says="heroku/python")
    heroku.run("buildpacks:info", "heroku/python", says="Built into this platform")
    heroku.run("buildpacks:versions", "heroku/python", says="published")
    heroku.run("buildpacks:set", "heroku/python", says="Buildpack set.")
    heroku.run("buildpacks:add", "--index", "1", "heroku/nodejs", says="1. heroku/nodejs 2. heroku/python")
    heroku.run("buildpacks", says="1. heroku/nodejs 2. heroku/python")
    heroku.run("buildpacks:remove", "heroku/nodejs", says="will use heroku/python")
    installed = heroku.ask(f"/apps/{app.name}/buildpack-installations")
    assert [each["buildpack"]["name"] for each in installed] == ["heroku/python"]
    heroku.refused("buildpacks:set", "heroku/none-such", says="Each of `updates` must have `buildpack`")
    heroku.run("buildpacks:clear", says="Buildpacks cleared.")
    assert heroku.ask(f"/apps/{app.name}/buildpack-installations") == []


def test_maintenance_shows_visitors_the_page(heroku: Heroku, app: App) -> None:
    heroku.run("maintenance", says="off")
    heroku.run("maintenance:on", says="done")
    eventually(lambda: app.visit().status == 503, "the maintenance page")
    heroku.run("maintenance", says="on")
    heroku.run("maintenance:off", says="done")
    eventually(lambda: app.visit().status == 200, "the app")


def test_stack_regions_status_and_features(heroku: Heroku, app: App) -> None:
    heroku.run("apps:stacks", says="* host")
    heroku.run("apps:stacks:set", "host", says="done")
    heroku.refused("apps:stacks:set", "heroku-99", says="Couldn't find the stack `heroku-99`")
    heroku.run("regions", says="us This server Common Runtime")
    heroku.run("status", says="Apps: No known issues at this time.")
    heroku.run("features", says="[+] preboot")
    heroku.run("features:info", "preboot", says="Enabled: true")
    heroku.run("features:enable", "preboot", status=1, says="already enabled")
    heroku.refused("features:disable", "preboot", says="always on here")
    heroku.run("features:disable", "runtime-heroku-exec", says="Disabling runtime-heroku-exec")
    heroku.run("features:info", "runtime-heroku-exec", says="Enabled: false")
    heroku.run("features:enable", "runtime-heroku-exec", says="Enabling runtime-heroku-exec")
    heroku.run("labs:disable", "runtime-dyno-metadata", "--confirm", app.name, says="Disabling runtime-dyno-metadata")
    heroku.run("run", "env", says="DYNO=run.")
    assert "HEROKU_APP_NAME" not in heroku.run("run", "env").stdout
    heroku.run("labs:enable", "runtime-dyno-metadata", says="Enabling runtime-dyno-metadata")
    heroku.run("run", "env", says=f"HEROKU_APP_NAME={app.name}")
    heroku.run("labs", says="runtime-dyno-metadata")
    heroku.run("labs:info", "runtime-dyno-metadata", says="Enabled: true")
    heroku.run("labs:enable", "runtime-dyno-metadata", says="done")
