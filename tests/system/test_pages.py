"""What visitors see when no dyno answers, and domains. Source: Dev Center, error-codes, maintenance-mode, custom-domains."""

from __future__ import annotations

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually


def test_maintenance_mode_answers_for_the_app_until_it_ends(app: App) -> None:
    app.senryu("maintenance:on")
    eventually(lambda: app.visit().status == 503, "maintenance mode")
    assert "Offline for maintenance" in app.visit().text
    app.logged('at=info code=H80 desc="Maintenance mode"')
    assert app.states() == {"web.1": "up"}
    app.senryu("maintenance:off")
    eventually(lambda: app.visit().status == 200, "the end of maintenance mode")


def test_an_app_without_code_says_so(make_app: NewApp) -> None:
    app = make_app()
    eventually(lambda: "Nothing here yet" in app.visit().text, "the blank app's page")
    app.logged('code=H81 desc="Blank app"')


def test_an_unknown_name_is_no_app(platform: Copy) -> None:
    answer = platform.visit("nobody-made-this")
    assert answer.status == 404
    assert "No such app" in answer.text


def test_a_custom_domain_leads_to_the_app_and_to_nobody_once_removed(app: App, make_app: NewApp) -> None:
    host = f"www.{app.name}.example"
    assert app.copy.visit(host).status == 404
    app.senryu("domains:add", host)
    app.senryu("domains:add", f"*.wild-{app.name}.example")
    eventually(lambda: app.copy.visit(host).status == 200, "the domain's answer")
    assert app.copy.visit(f"any.wild-{app.name}.example").text.startswith("Hello from Senryu")
    assert host in app.senryu("domains").stdout
    other = make_app()
    refused = other.senryu("domains:add", host, check=False)
    assert refused.returncode != 0
    assert host in refused.stderr
    app.senryu("domains:remove", host)
    eventually(lambda: app.copy.visit(host).status == 404, "the end of the domain")
    assert app.visit().status == 200


def test_a_renamed_app_answers_at_its_new_name_only(app: App) -> None:
    old, new = app.name, f"{app.name}-too"
    app.senryu("apps:rename", new)
    app.name = new
    eventually(lambda: app.visit().status == 200, "the new name")
    assert app.copy.visit(old).status == 404
