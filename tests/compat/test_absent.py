"""What the platform has none of: empty lists and sentences, never a crash of the client; and what runs on this machine only."""

from __future__ import annotations

import pytest

from system.person import App

from .client import Heroku
from .table import fate


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("addons", "No add-ons for app"),
        ("addons:wait", ""),
        ("orgs", "Team"),
        ("teams", "Team"),
        ("pipelines", "My Pipelines"),
        ("telemetry -a APP", "There are no telemetry drains"),
        ("usage:addons -a APP", ""),
        ("pg:info", "has no heroku-postgresql databases"),
        ("pg:backups", "No backups"),
        ("redis:info", ""),
        ("local:version", "3."),
        ("local:run echo hello", "hello"),
        ("version:info", "heroku/"),
        ("autocomplete bash", "Building the autocomplete cache... done"),
    ],
)
def test_an_empty_list_is_shown_as_one(line: str, says: str, heroku: Heroku, app: App) -> None:
    heroku.run(*line.replace("APP", app.name).split(), says=says)


@pytest.mark.parametrize(
    ("line", "says", "status"),
    [
        ("members -t some", "Couldn\'t find the team", 2),
        ("members:add -t some x@example.com -r member", "Couldn\'t find the team", 2),
        ("members:set -t some x@example.com -r admin", "Couldn\'t find the team", 2),
        ("members:remove -t some x@example.com", "Couldn\'t find the team", 2),
        ("pipelines:create some -s staging", "This platform has no pipelines", 2),
        ("pipelines:info some", "Pipeline not found", 1),
        ("pipelines:add some -s staging", "Pipeline not found", 1),
        ("pipelines:promote", "is in no pipeline", 2),
        ("pipelines:remove", "is in no pipeline", 2),
        ("ci -p some", "Pipeline not found", 2),
        ("ci:info 1 -p some", "Pipeline not found", 2),
        ("ci:last -p some", "Pipeline not found", 2),
        ("reviewapps:enable -p some", "this platform has no pipelines yet", 2),
        ("pg:psql", "has no databases", 1),
        ("pg:credentials:url", "has no databases", 1),
        ("pg:reset", "has no databases", 1),
        ("pg:promote some", "has no databases", 1),
        ("redis:credentials", "No Redis instances found", 1),
        ("redis:cli", "No Redis instances found", 1),
        ("container:push web", "This command is for Docker apps only", 1),
        ("container:release web", "This command is for Docker apps only", 1),
        ("spaces", "You do not have access to any spaces", 2),
        ("telemetry:add -a APP https://example.com/otlp", "sends no OpenTelemetry signals", 2),
        ("telemetry:info 00000000-0000-4000-8000-000000000000", "Couldn't find the telemetry drain", 2),
        ("telemetry:remove 00000000-0000-4000-8000-000000000000", "Couldn't find the telemetry drain", 2),
        ("telemetry:update 00000000-0000-4000-8000-000000000000 --endpoint https://x.example.com", "Couldn't find the telemetry drain", 2),
        ("pipelines:update -s staging", "is in no pipeline", 2),
        ("pipelines:rename some other", "Pipeline not found", 1),
        ("pipelines:destroy some", "Pipeline not found", 1),
        ("reviewapps:create -p some -b main", "Pipeline not found", 1),
        ("reviewapps:disable -p some", "this platform has no pipelines yet", 2),
        ("reviewapps:wait -a APP -p some", "", 2),
        ("ci:config -p some", "Pipeline not found", 2),
        ("ci:config:get -p some KEY", "Pipeline not found", 2),
        ("ci:config:set -p some KEY=value", "Pipeline not found", 2),
        ("ci:config:unset -p some KEY", "Pipeline not found", 2),
        ("container:rm web", "This command is for Docker apps only", 1),
        ("container:pull web", "This command is for Docker apps only", 1),
        ("spaces:info some", "Couldn't find the space some", 2),
        ("spaces:create --space some --team some", "no private spaces", 2),
        ("spaces:destroy --space some --confirm some", "Couldn't find the space some", 2),
        ("spaces:wait --space some", "Couldn't find the space some", 2),
        ("access:update x@example.com -a APP -p deploy", "is not owned by a team", 2),
    ],
)
def test_a_sentence_says_what_is_not_here(line: str, says: str, status: int, heroku: Heroku, app: App) -> None:
    # Away from the app's remote: with it, `ci:config -p` is told two things.
    heroku.refused(*line.replace("APP", app.name).split(), says=says, status=status, cwd=heroku.person.home if "-p some" in line else None)


def test_local_runs_the_procfile(heroku: Heroku, app: App) -> None:
    (app.folder / "Procfile.short").write_text("web: echo here on $PORT\n")
    try:
        heroku.run("local", "-f", "Procfile.short", says="here on 500")
    finally:
        (app.folder / "Procfile.short").unlink()


def test_every_command_of_the_client_has_its_place_in_the_table(heroku: Heroku) -> None:
    import json

    found = json.loads(heroku.run("commands", "--json", "--hidden").stdout)
    own = [each for each in found if each.get("pluginName") == "heroku"]
    aliases = {alias for each in own for alias in (*each["aliases"], *(each.get("hiddenAliases") or ()))}
    missing = []
    for name in sorted({each["id"] for each in own} - aliases):
        try:
            fate(name)
        except KeyError:
            missing.append(name)
    assert not missing
    assert len(own) > 300
