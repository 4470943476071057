"""`GET /apps/:app` at a steady rate, through the router and to senryud itself. `python bench/api_get.py [requests/s] [seconds]`.

All in all it stays below the 4,500 requests an hour that a token has.
"""

from __future__ import annotations

import asyncio
import netrc
import sys

from open_loop import by_port, by_socket, get, open_loop
from stand import Person, new_app, person_on, print_table, running_platform


def token_of(person: Person) -> str:
    """What the command line logs in with."""
    [token] = {login[2] for login in netrc.netrc(str(person.home / ".netrc")).hosts.values()}
    return token


def main(per_s: int, seconds: float) -> None:
    rows = []
    with running_platform() as copy, person_on(copy) as person, new_app(person) as app:
        token, host = token_of(person), f"localhost:{copy.port}"
        ways = {"through the router": by_port(copy.port), "to senryud": by_socket(copy.home / "run/senryud.sock")}
        for round_number in (1, 2):
            for path in ("/senryu/health", f"/apps/{app.name}"):
                for way, connect in ways.items():
                    found = asyncio.run(open_loop(connect, [get(path, token, host)], per_s, seconds))
                    times = (f"{found.percentile(0.5):.2f}", f"{found.percentile(0.99):.2f}", f"{max(found.took_ms):.1f}")
                    rows.append((path.replace(app.name, ":app"), way, round_number, len(found.took_ms), found.failed, *times))
    head = ("path", "way", "run", "answers", "failed", "p50 ms", "p99 ms", "most ms")
    print_table(f"Platform API at {per_s} requests/s (target p99 10 ms)", head, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, float(sys.argv[2]) if len(sys.argv) > 2 else 8.0)
