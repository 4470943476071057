"""Key-value stores on a whole platform: from dynos, against other tenants' dynos, through kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from threading import Thread
from time import sleep
from urllib.parse import urlsplit

import pytest

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually

pytestmark = pytest.mark.skipif(not Path("/usr/bin/redis-cli").exists(), reason="Redis is not installed (Debian package redis-tools)")


def _url(app: App, name: str = "REDIS_URL") -> str:
    found: str = json.loads(app.senryu("config", "--json").stdout)[name]
    return found


def _asked(app: App, *words: str, url: str = "$REDIS_URL", check: bool = True) -> str:
    """What redis-cli in a one-off dyno says. It takes an empty user name for one."""
    command = f'url="{url}"; timeout 8 redis-cli --tls --insecure -u "${{url/:\\/\\/:/://default:}}" --no-auth-warning {" ".join(words)}'
    done = app.senryu("run", "--exit-code", "--", command, check=check)
    return (done.stdout + ("" if check else done.stderr)).strip()


def _processes(platform: Copy) -> dict[str, int]:
    """The stores' processes, by add-on."""
    notes = (platform.home / "agent/data").glob("redis-*.process")
    return {path.name.removeprefix("redis-").removesuffix(".process"): int(path.read_text().split()[0]) for path in notes}


def test_a_store_is_reached_from_its_own_dynos_only_and_outlives_kills(platform: Copy, make_app: NewApp) -> None:
    app, other = make_app(), make_app()
    app.push()
    other.push()
    assert "as REDIS_URL" in app.senryu("addons:create", "heroku-redis:premium-0").stdout
    assert _asked(app, "SET picture kite") == "OK"
    assert _asked(app, "KEYS '*'") == "picture"

    # With the URL stolen, another app's dynos do not even get a connection: the port is not open to them.
    stolen = _url(app)
    parts = urlsplit(stolen)
    refused = other.senryu("run", "--exit-code", "--", f"timeout 5 bash -c '</dev/tcp/{parts.hostname}/{parts.port}'", check=False)
    assert refused.returncode != 0
    other.senryu("addons:create", "senryu-redis:mini")
    assert _asked(other, "KEYS '*'") == ""
    assert "picture" not in _asked(other, "KEYS '*'", url=stolen, check=False)

    # From the owner's own machine, through the platform's TLS port.
    assert app.senryu("redis:cli", stdin="GET picture\n").stdout.strip() == "kite"

    # Shared, it is.
    [made] = json.loads(app.senryu("addons", "--json").stdout)
    other.senryu("addons:attach", made["name"], "--as", "SHARED")
    assert _asked(other, "GET picture", url="$SHARED_URL") == "kite"
    other.senryu("addons:detach", "SHARED")

    # What was acknowledged is there after kill -9 of the server, which is started again by itself; of the agent and of senryud, too.
    killed = _processes(platform)[made["id"]]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: _processes(platform)[made["id"]] != killed, "another server")
    assert _asked(app, "GET picture") == "kite"
    platform.kill("agent")
    platform.kill("senryud")
    platform.await_health()
    before = _processes(platform)[made["id"]]
    assert _asked(app, "GET picture") == "kite"
    assert _processes(platform)[made["id"]] == before
    reach = f"timeout 5 bash -c '</dev/tcp/{parts.hostname}/{parts.port}' && echo reached"
    assert "reached" in app.senryu("ps:exec", "--dyno", "web.1", "--", "sh", "-c", reach).stdout  # a dyno older than the agent

    # Another password: the old one is of no use, the app has the new one, and the data.
    app.senryu("redis:credentials", "--reset")
    assert _url(app) != stolen
    assert _asked(app, "GET picture") == "kite"
    assert "WRONGPASS" in _asked(app, "GET picture", url=stolen, check=False)

    app.senryu("addons:destroy", "REDIS", "--confirm", app.name)
    other.senryu("addons:destroy", "REDIS", "--confirm", other.name)
    assert _processes(platform) == {}
    assert list((platform.home / "data/redis").glob("2*")) == []


def test_kills_while_stores_are_made_and_passwords_reset_leave_no_half_of_either(platform: Copy, make_app: NewApp) -> None:
    app = make_app()
    app.push()
    app.senryu("addons:create", "heroku-redis:premium-0", "--name", f"{app.name}-kept")
    _asked(app, "SET picture kite")
    for number, (service, delay_s) in enumerate((("senryud", 0.3), ("agent", 0.5), ("senryud", 0.7))):
        words = ["redis:credentials", "--reset"] if number != 1 else ["addons:create", "heroku-redis:mini", "--as", "EXTRA"]
        asking = Thread(target=app.senryu, args=words, kwargs={"check": False})
        asking.start()
        making = Thread(target=app.senryu, args=["addons:create", "heroku-redis:mini"], kwargs={"check": False})
        making.start()
        sleep(delay_s)
        platform.kill(service)
        for thread in (asking, making):
            thread.join(180)
        platform.await_health()
        assert _asked(app, "GET picture") == "kite"  # whichever password it has

    def is_whole() -> bool:
        """Each add-on is made and has its process; there is no other process."""
        add_ons = json.loads(app.senryu("addons", "--json").stdout)
        running = {id for id, pid in _processes(platform).items() if _lives(pid)}
        return all(each["state"] == "provisioned" for each in add_ons) and {each["id"] for each in add_ons} == running

    eventually(is_whole, "every store whole or gone", within_s=250)
    for each in json.loads(app.senryu("addons", "--json").stdout):
        url = _url(app, each["config_vars"][0])
        parts = urlsplit(url)
        words = ["redis-cli", "--tls", "--insecure", "-h", str(parts.hostname), "-p", str(parts.port), "PING"]
        done = subprocess.run(words, env={"REDISCLI_AUTH": str(parts.password)}, capture_output=True, text=True, timeout=20, check=False)
        assert done.stdout.strip() == "PONG", each
        app.senryu("addons:destroy", each["name"], "--confirm", app.name)
    assert _processes(platform) == {}


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
