"""Dynos, one-offs, logs, releases."""

from __future__ import annotations

import socket

from system.person import App, new_app
from system.rig import eventually

from .client import Heroku


def _web(heroku: Heroku, app: App) -> list[tuple[str, str]]:
    return [(dyno["name"], dyno["size"]) for dyno in heroku.ask(f"/apps/{app.name}/dynos") if dyno["type"] == "web"]


def test_a_formation_is_scaled_and_sized(heroku: Heroku, app: App) -> None:
    heroku.run("ps", says="web.1: up")
    heroku.run("ps:scale", says="web=1:Standard-1X")
    heroku.run("ps:scale", "web=2", says="now running web at 2:Standard-1X")
    eventually(lambda: len(_web(heroku, app)) == 2, "two web dynos")
    heroku.refused("ps:type", "web=basic", says="Cannot update to more than 1 Basic size dynos per process type.")
    heroku.run("ps:type", "web=standard-2x", says="Standard-2X")
    heroku.run("ps:wait")
    eventually(lambda: {size for _, size in _web(heroku, app)} == {"Standard-2X"}, "dynos of the new size")
    heroku.run("ps:scale", "web=1:standard-1x", says="now running web at 1:Standard-1X")
    eventually(lambda: _web(heroku, app) == [("web.1", "Standard-1X")], "one web dyno")
    heroku.refused("ps:scale", "nothing=1", says="nothing")


def test_eco_dynos_show_their_hours_and_keep_herokus_rules(heroku: Heroku, app: App) -> None:
    heroku.run("ps:type", "eco", says="shared across all Eco dynos")
    eventually(lambda: _web(heroku, app) == [("web.1", "Eco")], "an eco dyno")
    left = "Eco dyno hours quota remaining this month: 999h 59m (99%)"
    eventually(lambda: left in heroku.run("ps").stdout, "the first second used", within_s=60)
    heroku.refused("ps:scale", "web=2", says="Cannot update to more than 1 Eco size dynos per process type.")
    heroku.run("run:detached", "sleep 60", says="done")
    heroku.refused("run:detached", "true", says="Cannot run more than 1 Eco size dynos.")
    heroku.run("ps:stop", "--process-type", "run", says="done")
    heroku.run("ps:type", "standard-1x", says="Standard-1X")
    eventually(lambda: _web(heroku, app) == [("web.1", "Standard-1X")], "one web dyno")


def test_dynos_restart_and_stop(heroku: Heroku, app: App) -> None:
    def ids() -> set[str]:
        return {dyno["id"] for dyno in heroku.ask(f"/apps/{app.name}/dynos") if dyno["state"] == "up"}

    for words, of in (((), "all dynos"), (("--process-type", "web"), "web"), (("--dyno-name", "web.1"), "web.1")):
        before = eventually(ids, "dynos that are up")
        heroku.run("ps:restart", *words, says="done")
        eventually(lambda before=before: ids() and not ids() & before, f"other dynos after a restart of {of}")  # type: ignore[misc]
    before = ids()
    heroku.run("ps:stop", "--dyno-name", "web.1", says="done")
    eventually(lambda: not ids() & before, "the end of web.1")
    eventually(ids, "another web.1")


def test_one_offs_run_with_their_status_and_standard_input(heroku: Heroku, app: App) -> None:
    assert heroku.run("run", "echo out; echo again").stdout == "out\nagain\n"
    heroku.run("run", "-x", "sh -c 'exit 7'", status=7, says="Process exited with code 7")
    heroku.run("run", "-x", "true")
    assert heroku.run("run", "--no-tty", "wc -c", stdin="12345").stdout.strip() == "5"
    assert heroku.run("run", "--env", "A=1;B=2", "echo $A$B").stdout == "12\n"
    said = heroku.run("run:detached", "echo from afar; exit 3", says="done").stderr
    dyno = said.split("done, ")[1].split()[0]
    app.logged("Process exited with status 3", "-n", "1500", "-d", dyno)
    assert heroku.run("run:inside", "web.1", "printenv DYNO").stdout == "web.1\n"
    with heroku.terminal("run", "-a", app.name, "bash") as terminal:
        terminal.await_text("$ ")
        terminal.type("stty size; exit 5\r")
        terminal.await_text("24 80")
        terminal.await_end()


def test_ps_exec_tells_the_status_and_where_else_to_go(heroku: Heroku, app: App) -> None:
    heroku.run("ps:exec", "--status", says="web.1 up running")
    heroku.refused("ps:exec", "ls", says="Could not connect to dyno!")


def test_logs_are_shown_and_followed(heroku: Heroku, app: App) -> None:
    app.visit("/seen-by-heroku")
    eventually(lambda: "path=\"/seen-by-heroku\"" in heroku.run("logs", "-n", "50").stdout, "the request in the log")
    only = heroku.run("logs", "--source", "app", "--dyno-name", "web.1", "-n", "20").stdout
    assert only
    assert all(" app[web.1]: " in line for line in only.splitlines())
    with heroku.terminal("logs", "--tail", "-a", app.name, "--no-color") as terminal:
        terminal.await_text("/seen-by-heroku")
        app.visit("/seen-while-following")
        terminal.await_text("/seen-while-following")
        terminal.type("\x03")
        terminal.await_end()


def test_logs_are_drained_to_a_receiver(heroku: Heroku, app: App) -> None:
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        receiver.settimeout(60)
        url = f"syslog://127.0.0.1:{receiver.getsockname()[1]}"
        heroku.run("drains:add", url, says="added")
        heroku.run("drains", says=url)
        [drain] = heroku.ask(f"/apps/{app.name}/log-drains")
        app.visit("/seen-by-the-drain")
        connection, _ = receiver.accept()
        with connection:
            connection.settimeout(60)
            received = b""
            while b"/seen-by-the-drain" not in received:
                received += connection.recv(65536) or b"the drain hung up"
                assert b"the drain hung up" not in received
        assert drain["token"].encode() in received
    heroku.run("drains:remove", url, says="removed")
    assert heroku.ask(f"/apps/{app.name}/log-drains") == []


def test_releases_are_listed_shown_and_gone_back_to(heroku: Heroku, app: App) -> None:
    heroku.run("config:set", "GENERATION=one")
    heroku.run("config:set", "GENERATION=two")
    listed = heroku.run("releases").stdout
    assert "Set GENERATION config vars" in listed
    current = heroku.ask(f"/apps/{app.name}/config-vars")
    heroku.run("releases:info", says="Set GENERATION config vars")
    heroku.run("releases:info", "v2", says="Release v2")
    heroku.run("releases:rollback", says=f"Rolling back {app.name} to v")
    assert heroku.ask(f"/apps/{app.name}/config-vars") == {**current, "GENERATION": "one"}


def test_a_release_phase_can_be_read_and_tried_again(heroku: Heroku, app: App) -> None:
    files = {"Procfile": "web: python3 -m http.server $PORT\nrelease: echo getting ready\n", "requirements.txt": ""}
    with new_app(heroku.person, files) as other:
        other.push()
        heroku.run("releases:output", "-a", other.name, says="getting ready")
        heroku.run("releases:retry", "-a", other.name, says="done, v3")
        latest = heroku.ask(f"/apps/{other.name}/releases")[-1]
        assert latest["description"].startswith("Retry of v2:")
        eventually(lambda: heroku.ask(f"/apps/{other.name}/releases")[-1]["status"] == "succeeded", "the retried release")
