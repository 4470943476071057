"""Add-ons of a partner by the official client: at once, later, refused, opened."""

from __future__ import annotations

import json
import re
import ssl
import urllib.parse
import urllib.request
from pathlib import Path

from partners import running_partner
from system.person import App
from system.rig import eventually

from .client import Heroku


def _config(heroku: Heroku) -> dict[str, str]:
    found: dict[str, str] = json.loads(heroku.run("config", "--json").stdout)
    return found


def test_a_service_of_somebody_elses(heroku: Heroku, app: App, tmp_path: Path) -> None:
    with running_partner(tmp_path / "partner") as partner:
        manifest = tmp_path / "addon-manifest.json"
        manifest.write_text(json.dumps(partner.manifest))
        said = heroku.operator.senryu("addons:services:add", str(manifest)).stdout
        (partner.folder / "secret").write_text(said.split()[-1])
        heroku.run("addons:services", says="mailer")
        heroku.run("addons:plans", "mailer", says="later")
        heroku.run("addons:create", "mailer:test", "--name", "post", "--", "--color=blue", says="MAILER_URL")
        assert _config(heroku)["MAILER_URL"].endswith("/test")
        heroku.refused("addons:create", "mailer:refused", says="sold out")
        heroku.run("addons:upgrade", "post", "mailer:busy")
        assert _config(heroku)["MAILER_URL"].endswith("/busy")

        address = heroku.run("addons:open", "post", "--show-url").stdout.split()[-1]
        with urllib.request.urlopen(address, timeout=30, context=ssl._create_unverified_context()) as page:
            html = page.read().decode()
        fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', html))
        form = urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(re.findall(r'action="([^"]*)"', html)[0], form, timeout=30) as inside:
            assert json.load(inside) == {"hello": "person@example.com"}

        heroku.run("addons:create", "mailer:later", "--name", "slow-post", says="in the background")
        heroku.run("addons:info", "slow-post", says="creating")
        assert not any("later" in value for value in _config(heroku).values())
        (partner.folder / "ready").touch()
        heroku.run("addons:wait", "slow-post", "--wait-interval", "1")
        eventually(lambda: any("later" in value for value in _config(heroku).values()), "the config var")
        for name in ("post", "slow-post"):
            heroku.run("addons:destroy", name, "--confirm", app.name)
        assert partner.made() == []
        heroku.operator.senryu("addons:services:remove", "mailer")
