"""Backup and restore of a database by the platform, beside plain pg_dump and pg_restore. `python bench/backups.py [MB] [rounds]`.

Plain: the programs on a file, as the tenant, over the server's socket. Ours: from the API's call until the transfer has finished, polled.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api_get import token_of
from stand import App, Copy, new_app, person_on, print_table, running_platform, timed_ms

_PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
_FILL = """
CREATE TABLE entries (id bigint PRIMARY KEY, at timestamptz, name text, note text);
INSERT INTO entries SELECT n, now() - n * interval '1 second', md5(n::text), repeat(md5((n * 7)::text) || ' ', 4)
  FROM generate_series(1, {rows}) n;
CREATE INDEX ON entries (name);
"""
_ROW_BYTES = 300


def ask(copy: Copy, token: str, method: str, path: str, body: Any = None) -> Any:
    """One call of the API."""
    connection = http.client.HTTPConnection("127.0.0.1", copy.port, timeout=60)
    headers = {"Host": f"localhost:{copy.port}", "Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status < 300, content
    return json.loads(content)


def finished_s(copy: Copy, token: str, app: App, path: str, body: Any = None) -> float:
    """How long a transfer takes, from the call on."""
    began = time.perf_counter()
    begun = ask(copy, token, "POST", path, body)
    while not (found := ask(copy, token, "GET", f"/client/v11/apps/{app.name}/transfers/{begun['uuid']}"))["finished_at"]:
        time.sleep(0.05)
    took = time.perf_counter() - began
    assert found["succeeded"] and not found["warnings"], found
    return took


def plain(copy: Copy, url: str, program: str, *words: str, database: str = "") -> None:
    """One of PostgreSQL's programs, as the tenant or (for a `database` of its own) as the administrator."""
    user, _, rest = url.removeprefix("postgres://").partition(":")
    env = {
        "PATH": "/usr/bin:/bin",
        "PGHOST": str(copy.home / "data/postgres/socket"),
        "PGUSER": "senryu_admin" if database else user,
        "PGPASSWORD": "" if database else rest.partition("@")[0],
        "PGDATABASE": database or url.rpartition("/")[2],
    }
    subprocess.run([str(_PROGRAMS / program), *words], env=env, check=True, timeout=3600, stdout=subprocess.DEVNULL)


def dumped(copy: Copy, url: str, dump: Path) -> None:
    """A plain dump that is on the disk, as a backup is."""
    plain(copy, url, "pg_dump", "-Fc", "-f", str(dump))
    os.sync()


def restored(copy: Copy, url: str, dump: Path) -> None:
    """A plain restore."""
    plain(copy, url, "pg_restore", "--no-owner", "--no-acl", "-d", "plain", str(dump), database="plain")


def settled(copy: Copy, url: str) -> None:
    """Nothing is left to be written: whoever is second would wait for the disk on behalf of the first, and for the first's checkpoint."""
    plain(copy, url, "psql", "-qc", "CHECKPOINT", database="postgres")
    os.sync()
    time.sleep(0.5)


def by_turns(first: Callable[[], None], second: Callable[[], None], round: int) -> None:
    """Each is the first in every other round."""
    for each in (second, first) if round % 2 else (first, second):
        each()


def measured(megabytes: int, rounds: int) -> tuple[float, dict[str, list[float]]]:
    """The database's size in MB, and the seconds of each way and round."""
    took: dict[str, list[float]] = {name: [] for name in ("pg_dump", "backup", "pg_restore", "restore")}
    with running_platform() as copy, person_on(copy) as person, new_app(person) as app:
        token = token_of(person)
        made = ask(copy, token, "POST", f"/apps/{app.name}/addons", {"plan": "heroku-postgresql:essential-1"})
        url = ask(copy, token, "GET", f"/apps/{app.name}/config-vars")["DATABASE_URL"]
        plain(copy, url, "psql", "-qc", _FILL.format(rows=megabytes * 1024 * 1024 // _ROW_BYTES))
        dump, path = copy.home / "plain.dump", f"/client/v11/databases/{made['id']}"

        def dump_plainly() -> None:
            settled(copy, url)
            took["pg_dump"].append(timed_ms(lambda: dumped(copy, url, dump)) / 1000)

        def back_up() -> None:
            settled(copy, url)
            took["backup"].append(finished_s(copy, token, app, f"{path}/backups"))

        def make_room() -> None:
            """Before each: memory that was just given back is had at once, other memory this machine's host has to find first."""
            plain(copy, url, "psql", "-qc", "DROP DATABASE IF EXISTS plain", database="postgres")
            plain(copy, url, "psql", "-qc", "CREATE DATABASE plain", database="postgres")
            settled(copy, url)

        def restore_plainly() -> None:
            make_room()
            took["pg_restore"].append(timed_ms(lambda: restored(copy, url, dump)) / 1000)

        def restore() -> None:
            make_room()
            took["restore"].append(finished_s(copy, token, app, f"{path}/restores", {"backup_url": newest()["to_url"]}))

        def newest() -> Any:
            found = ask(copy, token, "GET", f"/client/v11/apps/{app.name}/transfers")
            return [each for each in found if each["to_type"] == "gof3r"][-1]

        for round in range(rounds):
            by_turns(dump_plainly, back_up, round)
            by_turns(restore_plainly, restore, round)
        return newest()["source_bytes"] / 1024 / 1024, took


def main(megabytes: int, rounds: int) -> None:
    """Prints seconds, MB/s and ours as a part of plain."""
    size, took = measured(megabytes, rounds)
    rows: list[tuple[object, ...]] = []
    for ours, theirs in (("backup", "pg_dump"), ("restore", "pg_restore")):
        mine, others = statistics.median(took[ours]), statistics.median(took[theirs])
        share = f"{others / mine * 100:.0f} %"
        rows.append((ours, f"{mine:.2f}", f"{size / mine:.1f}", theirs, f"{others:.2f}", f"{size / others:.1f}", share))
    head = ("ours", "s", "MB/s", "plain", "s", "MB/s", "ours of plain")
    print_table(f"A database of {size:.0f} MB, median of {rounds} (target: 90 % at least)", head, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300, int(sys.argv[2]) if len(sys.argv) > 2 else 3)
