"""Data services: how long one takes to be made, until the app runs with it; and pgbench from a dyno beside loopback.

    python bench/add_ons.py [--seconds 20] [--clients 8]

Needs root, as everything that starts dynos; the copy of the platform is gone afterwards. The server is the same for both runs of pgbench:
once from a one-off dyno by DATABASE_URL, once from this machine by the same URL. Runs alternate, medians are told.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path
from uuid import uuid4

from stand import App, new_app, person_on, running_platform

_ROUNDS = 3
_PGBENCH = str(sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))[-1])


def _tps(output: str) -> float:
    found = re.search(r"tps = ([0-9.]+)", output)
    if found is None:
        raise SystemExit(f"pgbench said no rate:\n{output}")
    return float(found[1])


def _made(app: App, plan: str) -> float:
    """From the request to the answer of `addons:create`, without the start of our command line."""
    token = app.owner.senryu("auth:token").stdout.strip()
    body = json.dumps({"plan": plan})
    connection = http.client.HTTPConnection("127.0.0.1", app.copy.port, timeout=90)
    begun = time.monotonic()
    headers = {"Host": "localhost", "Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", f"/apps/{app.name}/addons", body, headers)
    answer = connection.getresponse()
    answer.read()
    took = time.monotonic() - begun
    if answer.status != 201:
        raise SystemExit(f"{plan} was not made: {answer.status}")
    return took


async def _supplied(count: int) -> list[float]:
    """What a supplier needs for one database on a server that runs."""
    from providers.conftest import ESSENTIAL, local_server
    from senryu.providers.postgres import PostgresSupplier

    took = []
    with local_server() as server:
        supplier = PostgresSupplier(server)
        for _ in range(count):
            id, begun = uuid4(), time.monotonic()
            await supplier.provision(id, ESSENTIAL, {})
            took.append(time.monotonic() - begun)
            await supplier.deprovision(id)
    return took


def _until_served(app: App, variable: str, begun: float) -> float:
    """Until a visitor is answered by a dyno that has a config var."""
    while variable not in app.visit("/").text:
        time.sleep(0.01)
    return time.monotonic() - begun


_SERVICES = {
    "heroku-postgresql:standard-0": "DATABASE_URL",
    "heroku-redis:mini": "REDIS_URL",
    "senryu-objects:hobbyist": "AWS_S3_BUCKET",
}
_APP = {
    "Procfile": "web: python3 -u serve.py\n",
    "serve.py": """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        words = " ".join(sorted(os.environ)).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(words))); self.end_headers(); self.wfile.write(words)
    def log_message(self, *_): pass
HTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
""",
    "requirements.txt": "",
}


def main() -> None:
    """Prints the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    wanted = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores")
    took = asyncio.run(_supplied(20))
    print(f"supplier makes a database: median {statistics.median(took) * 1000:.0f} ms, most {max(took) * 1000:.0f} ms (of 20)")
    with running_platform() as copy, person_on(copy) as person, new_app(person, _APP) as app:
        for plan, variable in _SERVICES.items():
            for which in ("first of its kind, server and all", "next"):
                with new_app(person, _APP) as each:
                    each.push()
                    begun = time.monotonic()
                    answered = _made(each, plan)
                    print(f"{plan} ({which}): made in {answered:.2f} s, served with in {_until_served(each, variable, begun):.2f} s")
        app.push()
        _made(app, "heroku-postgresql:standard-0")
        _compare(app, json.loads(app.senryu("config", "--json").stdout)["DATABASE_URL"], wanted)


def _compare(app: App, url: str, wanted: argparse.Namespace) -> None:
    subprocess.run([_PGBENCH, "-i", "-q", "-s", "10", url], check=True, capture_output=True, timeout=600)
    words = [_PGBENCH, "-n", "-S", "-c", str(wanted.clients), "-j", "2", "-T", str(wanted.seconds)]
    rates: dict[str, list[float]] = {"dyno": [], "loopback": []}
    for _ in range(_ROUNDS):
        said = app.senryu("run", "--exit-code", "--", f'{" ".join(words)} "$DATABASE_URL"', timeout_s=wanted.seconds + 240).stdout
        rates["dyno"].append(_tps(said))
        done = subprocess.run([*words, url], check=True, capture_output=True, text=True, timeout=wanted.seconds + 240)
        rates["loopback"].append(_tps(done.stdout))
    dyno, loopback = (statistics.median(rates[name]) for name in ("dyno", "loopback"))
    print(f"pgbench -S -c {wanted.clients}: {dyno:.0f}/s from a dyno, {loopback:.0f}/s on this machine: {100 * dyno / loopback:.0f} %")


if __name__ == "__main__":
    main()
