"""The platform's router, of 1,000 apps, beside a bare HAProxy of 1,000 backends, both before the dyno of an example.

`python bench/router_dynos.py [rounds] [example…]`
All of the platform is there: the dyno in its container, and the request log, read into the app's own. The bare HAProxy, with its defaults
and one thread as ours, sends to the same dyno, writes no line and adds no header. Each round measures both in turn, and the dyno asked
directly. Load generator, proxy, platform and dyno share the machine's processors. Needs wrk (apt-get install wrk).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
from api_get import token_of
from router import APPS, CONNECTIONS, SECONDS, STEADY_PER_S, by_host, cpu_s, haproxy, medians_of, plain, steady, wrk
from stand import App, Copy, eventually, new_app, person_on, print_table, running_platform

from senryu.core.limits import TEAM_APPS_MAX
from system.rig import free_ports

EXAMPLES = ("flask-gunicorn", "node-express", "python-web")
BARE, OURS, ALONE = f"bare HAProxy, {APPS:,} apps by host", f"Senryu, {APPS:,} apps", "the dyno asked directly"
Samples = dict[str, list[tuple[float, float]]]


def dyno_address(copy: Copy, app: App) -> str:
    """Where the app's only dyno listens, out of what the router starts from."""

    def look() -> str:
        slot = re.search(rf"(?m)^{app.name}\.localhost (\S+)$", (copy.home / "router" / "hosts.map").read_text())
        config = (copy.home / "router" / "haproxy.cfg").read_text()
        _, _, backend = config.partition(f"\nbackend {slot[1]} from app\n") if slot else ("", "", "")
        found = re.search(r"(?m)^  server \S+ (\S+)", backend.partition("\nbackend ")[0])
        return found[1] if found else ""

    return eventually(look, f"a dyno of {app.name}")


def fill(copy: Copy, token: str, apps: int) -> None:
    """So many apps more, without a dyno; a team may own more than an account."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.heroku+json; version=3"}
    with httpx.Client(base_url=copy.url, headers=headers, timeout=30) as api:
        for number in range(apps):
            team = f"bench-{os.getpid()}-{number // TEAM_APPS_MAX}"
            if number % TEAM_APPS_MAX == 0:
                api.post("/teams", json={"name": team}).raise_for_status()
            api.post("/teams/apps", json={"name": f"{team}-{number}", "team": team}).raise_for_status()


def measured(copy: Copy, app: App, rounds: int, folder: Path) -> tuple[Samples, Samples]:
    """For each way to the app's dyno: requests/s and the proxy's µs for one; p50 and p99 in ms at a rate the dyno has time for."""
    app.push()
    address = dyno_address(copy, app)
    (port,) = free_ports(1)
    names = [app.name, *(f"app-{number}" for number in range(APPS - 1))]
    host = f"{app.name}.localhost"
    most: Samples = defaultdict(list)
    calm: Samples = defaultdict(list)
    with haproxy(plain(folder, app.name, by_host(port, address, names, folder)), folder / "log") as bare:
        ways = [(BARE, port, bare.pid), (OURS, copy.port, copy.haproxy())]
        for turn in range(rounds):
            for what, where, pid in ways[:: 1 - turn % 2 * 2]:
                before = cpu_s(pid)
                rate, _, _ = wrk(f"127.0.0.1:{where}", host)
                most[what].append((rate, (cpu_s(pid) - before) / (rate * SECONDS) * 1e6))
                calm[what].append(steady(where, host, STEADY_PER_S))
            most[ALONE].append((wrk(address, host)[0], 0.0))
    return most, calm


def rows_of(name: str, most: Samples, calm: Samples) -> Iterator[tuple[object, ...]]:
    """The table's rows for one app."""
    rates, times = medians_of(most), medians_of(calm)
    for what, (rate, cpu) in rates.items():
        row = (name, what, f"{rate:,.0f}", f"{rate / rates[BARE][0]:.2f}")
        if what == ALONE:
            yield *row, "", "", "", ""
        else:
            p50, p99 = times[what]
            yield *row, f"{cpu:.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{p99 - times[BARE][1]:+.2f}"


def main(rounds: int, examples: Sequence[str]) -> None:
    """Prints the table."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing; apt-get install wrk")
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, running_platform() as copy, person_on(copy) as person:
        fill(copy, token_of(person), APPS - 1)
        for example in examples:
            with new_app(person, example) as app:
                rows += rows_of(example, *measured(copy, app, rounds, Path(folder)))
    head = ("app", "through", "requests/s", "÷ bare", "proxy's CPU µs", f"p50 ms at {STEADY_PER_S}/s", "p99 ms", "p99 − bare")
    print_table(f"A dyno behind the router, {rounds} rounds of {SECONDS} s, {CONNECTIONS} connections (target 0.95, +0.30 ms)", head, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2:] or EXAMPLES)
