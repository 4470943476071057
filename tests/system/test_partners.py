"""A partner's add-ons by our own command line, through kills of the platform."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread

from partners import running_partner

from .conftest import NewApp
from .person import App, Person
from .rig import Copy, eventually


def _config(app: App) -> dict[str, str]:
    found: dict[str, str] = json.loads(app.senryu("config", "--json").stdout)
    return found


def test_an_add_on_that_takes_longer_survives_the_platforms_kill_and_reaches_the_app(
    platform: Copy, operator: Person, make_app: NewApp, tmp_path: Path
) -> None:
    app = make_app()
    with running_partner(tmp_path / "partner") as partner:
        manifest = tmp_path / "addon-manifest.json"
        manifest.write_text(json.dumps(partner.manifest))
        secret = operator.senryu("addons:services:add", str(manifest)).stdout.split()[-1]
        (partner.folder / "secret").write_text(secret)
        said = app.senryu("addons:create", "mailer:later", "--name", "later-post")
        assert "later-post is being made" in said.stdout and "It takes a while." in said.stdout + said.stderr
        assert _config(app) == {}
        platform.kill("senryud")
        platform.await_health()
        waiting = Thread(target=app.senryu, args=["addons:wait"])
        waiting.start()
        (partner.folder / "ready").touch()
        waiting.join(90)
        assert not waiting.is_alive()
        assert _config(app)["MAILER_URL"].endswith("/later")
        assert "/senryu/sso/" in app.senryu("addons:open", "later-post", "--show-url").stdout

        # Killed while the partner is at work: it is made once, or gone on both sides.
        (partner.folder / "slow.s").write_text("1.5")
        making = Thread(target=app.senryu, args=["addons:create", "mailer:slow", "--name", "slow-post"], kwargs={"check": False})
        making.start()
        eventually(lambda: "slow-post" in app.senryu("addons").stdout, "the add-on's record")
        platform.kill("senryud")
        making.join(120)
        platform.await_health()

        def is_whole() -> bool:
            add_ons = json.loads(app.senryu("addons", "--json").stdout)
            return all(each["state"] == "provisioned" for each in add_ons) and sorted(each["id"] for each in add_ons) == partner.made()

        eventually(is_whole, "add-ons whole on both sides", within_s=200)
        for each in json.loads(app.senryu("addons", "--json").stdout):
            app.senryu("addons:destroy", each["name"], "--confirm", app.name)
        assert partner.made() == [] and _config(app) == {}
        operator.senryu("addons:services:remove", "mailer")
