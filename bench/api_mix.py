"""A mix of GET requests at 1,000 a second, and `apps:info` by both command lines. `python bench/api_mix.py [requests/s] [seconds]`.

Each connection's share of the requests comes with a token of its own, as no token may call more than 4,500 times an hour.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys

from api_get import token_of
from idle_size import parts, processor_s
from open_loop import by_port, by_socket, get, open_loop
from stand import App, Copy, Person, median_ms, new_app, person_on, print_table, run_to_end, running_platform, timed_ms

# What dashboards and command lines ask, the more often the more times it is named.
MIX = ("", "", "", "", "/dynos", "/dynos", "/formation", "/formation", "/releases", "/config-vars", "/domains", "/builds")
CALLS_PER_TOKEN = 4000


def tokens(copy: Copy, first: str, count: int) -> list[str]:
    """More tokens of the same account."""
    found = []
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", copy.port, timeout=30)
        headers = {"Host": f"localhost:{copy.port}", "Authorization": f"Bearer {first}", "Content-Type": "application/json"}
        connection.request("POST", "/oauth/authorizations", b'{"description": "bench"}', headers)
        found.append(json.load(connection.getresponse())["access_token"]["token"])
        connection.close()
    return found


def mixed(copy: Copy, app: App, first: str, per_s: int, seconds: float) -> list[tuple[object, ...]]:
    """Rows of one load through the router and one to senryud."""
    asks_in_all = per_s * (seconds + 2) * 2
    all_tokens = tokens(copy, first, int(asks_in_all / CALLS_PER_TOKEN) + 1)
    paths = [*(f"/apps/{app.name}{part}" for part in MIX), "/apps", "/account"]
    asks = [get(paths[number % len(paths)], token, f"localhost:{copy.port}") for number in range(len(paths)) for token in all_tokens]
    rows: list[tuple[object, ...]] = []
    for way, connect in (("through the router", by_port(copy.port)), ("to senryud", by_socket(copy.home / "run/senryud.sock"))):
        there = parts(copy)
        before = {name: processor_s(pids) for name, pids in there.items()}
        own = processor_s([os.getpid()])
        found = asyncio.run(open_loop(connect, asks, per_s, seconds))
        lasted = seconds + 2
        used = {name: (processor_s(there[name]) - before[name]) / lasted * 100 for name in ("senryud", "router")}
        used["load"] = (processor_s([os.getpid()]) - own) / lasted * 100
        times = (f"{found.percentile(0.5):.1f}", f"{found.percentile(0.99):.1f}", f"{max(found.took_ms):.0f}")
        processors = [f"{used[name]:.0f} %" for name in ("senryud", "router", "load")]
        rows.append((way, per_s, len(found.took_ms), found.failed, *times, *processors))
    return rows


def round_trips(person: Person, app: App, times: int) -> list[tuple[object, ...]]:
    """`apps:info` by the official command line and by ours, in turns."""
    from compat.client import Heroku  # asks npm for it the first time

    client = Heroku(person)
    ours, official = [], []
    for _ in range(times):
        ours.append(timed_ms(lambda: person.senryu("apps:info", "--app", app.name)))
        official.append(timed_ms(lambda: client.run("apps:info", "--app", app.name)))
    node = [timed_ms(lambda: run_to_end("node", "-e", "0")) for _ in range(times)]
    return [("senryu apps:info", median_ms(ours)), ("heroku apps:info", median_ms(official)), ("node -e 0", median_ms(node))]


def main(per_s: int, seconds: float) -> None:
    with running_platform() as copy, person_on(copy) as person, new_app(person) as app:
        app.push()
        rows = mixed(copy, app, token_of(person), per_s, seconds)
        trips = round_trips(person, app, 7)
    head = ("way", "asked/s", "answers", "failed", "p50 ms", "p99 ms", "most ms", "CPU senryud", "CPU router", "CPU load")
    print_table(f"A mix of GET at {per_s} requests/s on {os.cpu_count()} processors (target: no errors)", head, rows)
    print_table("One round trip of a command line", ("what", "ms: median (least-most)"), trips)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, float(sys.argv[2]) if len(sys.argv) > 2 else 8.0)
