"""What must be true of a platform at rest, whatever happened to it.

Asked of the database file, the kernel and HAProxy, not of the platform.

Source: the list INV of the project's reliability notes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from below import below
from system.rig import Copy
from system.traces import lot_of

PATIENCE_S = 60.0  # an app that ignores SIGTERM has 30
_UIDS = 10_000
_NAMESPACE = re.compile(r"(cgroup|ipc|mnt|net|pid|time|user|uts):\[")
_SHORT_LIVED = set(b"runc bwrap tar zstd gzip git mkfs.ext4 losetup mount umount setpriv prlimit nft".split())
_MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20


@dataclass(frozen=True, slots=True)
class Live:
    """A dyno that the database says is there."""

    id: str
    app: str
    name: str
    kind: str
    state: str
    release_id: str
    is_leaving: bool


def check(copy: Copy, *, canary: str = "", within_s: float = PATIENCE_S) -> float:
    """Looks until nothing is wrong; gives how many seconds that took. Fails with the list of what is still wrong at last."""
    began = time.monotonic()
    while wrong := problems(copy, canary=canary):
        if time.monotonic() - began > within_s:
            raise AssertionError("\n".join(["The platform is not as it should be:", *wrong, copy.own_log()]))
        time.sleep(0.25)
    return time.monotonic() - began


def problems(copy: Copy, *, canary: str = "") -> list[str]:
    """One sentence for each thing that is wrong now."""
    home = copy.home
    with contextlib.closing(sqlite3.connect(f"file:{home}/db/senryu.db?mode=ro", uri=True, timeout=10)) as db:
        found = [*_whole(db), *_histories(db, home), *_formations(db)]
        live = _live(db)
        found += [*_left_of_apps(db, home), *_names(db, home)]
    found += [*_left_of_builds(home), *_left_of_dynos(home, live), *_routes(home, live), *_left_of_programs(copy)]
    if canary:
        found += _leaks(home, canary)
    return found


def _whole(db: sqlite3.Connection) -> Iterator[str]:
    [answer] = db.execute("PRAGMA integrity_check").fetchone()
    if answer != "ok":
        yield f"database: {answer}"
    for row in db.execute("PRAGMA foreign_key_check"):
        yield f"database: a row of {row[0]} names one of {row[2]} that is not there"
    for (id,) in db.execute("SELECT id FROM builds WHERE status = 'pending'"):
        yield f"build {UUID(id)} is pending"
    for (id,) in db.execute("SELECT id FROM releases WHERE status = 'pending'"):
        yield f"release {UUID(id)} is pending"


def _histories(db: sqlite3.Connection, home: Path) -> Iterator[str]:
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for app_id, version in db.execute("SELECT app_id, version FROM releases ORDER BY version"):
        versions[app_id].append(version)
    for app_id, seen in versions.items():
        if seen != list(range(1, len(seen) + 1)):
            yield f"app {UUID(app_id)} has the releases {seen}"
    slugs = "SELECT DISTINCT s.checksum FROM releases r JOIN slugs s ON s.id = r.slug_id WHERE r.status = 'succeeded'"
    for (checksum,) in db.execute(slugs):
        blob = home / "blobs/slugs" / f"{checksum}.tgz"
        if not blob.exists():
            yield f"slug {checksum[:12]} is missing"
        elif hashlib.sha256(blob.read_bytes()).hexdigest() != checksum:
            yield f"slug {checksum[:12]} is damaged"


def _live(db: sqlite3.Connection) -> list[Live]:
    query = (
        "SELECT d.id, a.name, d.type || '.' || d.number, d.kind, d.state, d.release_id, d.retiring IS NOT NULL"
        " FROM dynos d JOIN apps a ON a.id = d.app_id WHERE d.ended_at IS NULL"
    )
    rows = db.execute(query)
    return [Live(str(UUID(id)), app, name, kind, state, release, bool(leaving)) for id, app, name, kind, state, release, leaving in rows]


def _formations(db: sqlite3.Connection) -> Iterator[str]:
    """Running dynos are the formation of each app's current release: no more, no fewer, all up."""
    live = _live(db)
    for app_id, name in db.execute("SELECT id, name FROM apps").fetchall():
        query = "SELECT id, process_types, slug_id FROM releases WHERE app_id = ? AND status = 'succeeded' ORDER BY version DESC LIMIT 1"
        current = db.execute(query, (app_id,)).fetchone()
        if current is None or current[2] is None:
            continue
        types = json.loads(current[1])
        quantities = db.execute("SELECT type, quantity FROM process_types WHERE app_id = ?", (app_id,)).fetchall()
        wanted = {f"{type}.{n}" for type, count in quantities if type in types and type != "release" for n in range(1, count + 1)}
        running = [dyno for dyno in live if dyno.app == name and dyno.kind == "formation"]
        good = [dyno.name for dyno in running if dyno.release_id == current[0] and dyno.state == "up" and not dyno.is_leaving]
        if sorted(good) != sorted(wanted) or len(running) != len(wanted):
            yield f"{name} should run {sorted(wanted)} and runs {sorted((d.name, d.state, d.is_leaving) for d in running)}"


def _left_of_apps(db: sqlite3.Connection, home: Path) -> Iterator[str]:
    """Repositories and caches are those of apps that there are; logs that late lines begin anew are forgotten within the hour."""
    apps = {str(UUID(id)) for (id,) in db.execute("SELECT id FROM apps")}
    for place in (*(home / "repos").glob("*.git"), *(home / "cache").glob("*-*")):
        if place.stem not in apps:
            yield f"an app that is gone left {place}"
    for (id,) in db.execute("SELECT app_id FROM remains"):
        yield f"what app {UUID(id)} left is not cleared away"


def _names(db: sqlite3.Connection, home: Path) -> Iterator[str]:
    """HAProxy has each app's names and no others, and certificates for the domains that have one."""
    hosts = {f"{name}.localhost" for (name,) in db.execute("SELECT name FROM apps")}
    domains = dict(db.execute("SELECT hostname, sni_endpoint_id FROM domains").fetchall())
    try:
        lines = _ask(home / "run/haproxy.sock", f"show map {home}/router/hosts.map").splitlines()
        listed = _ask(home / "run/haproxy.sock", f"show ssl crt-list -n {home}/router/certificates.list").splitlines()
    except OSError as error:
        yield f"router: {error}"
        return
    routed = {line.split()[1] for line in lines if line.strip()}
    if routed != hosts | domains.keys():
        yield f"router: hosts too many {sorted(routed - hosts - domains.keys())}, missing {sorted((hosts | domains.keys()) - routed)}"
    certified = {line.split()[-1] for line in listed if " " in line and not line.startswith("#")}
    if certified != {host for host, endpoint in domains.items() if endpoint}:
        yield f"router: certificates for {sorted(certified)}, domains are {domains}"


def _left_of_builds(home: Path) -> Iterator[str]:
    for place in (home / "builds").iterdir():
        if place.name != "flow":
            yield f"a build left {place}"
    for place in (home / "agent/slugs").glob("*.unpacking"):
        yield f"half a slug is left at {place}"
    for place in (path for path in below(home / "blobs") if path.parent.name == ".incoming"):
        yield f"half an object is left at {place}"


def _left_of_dynos(home: Path, live: list[Live]) -> Iterator[str]:
    """Directories, control groups, shims, cables, disks and processes are those of the live dynos."""
    lot, ids = lot_of(home), {dyno.id for dyno in live}
    assert lot is not None
    there = {
        "record": _named(home / "agent/dynos"),
        "output": _named(home / "agent/logs"),
        "container": _named(home / "agent/runc"),
        **{f"{group.parent.name} group": _named(group) for group in _groups(lot)},
        "shim": _shims(home),
    }
    for what, found in there.items():
        if found != ids:
            yield f"{what}: too many {sorted(found - ids)}, missing {sorted(ids - found)}"
    cables = [line for line in _output("ip", "-o", "link") if f": sn{lot}-" in line]
    disks = [line for line in _output("losetup", "-a") if f"({home}/" in line]
    if len(cables) != len(ids):
        yield f"there are {len(cables)} network cables for {len(ids)} dynos"
    if len(disks) - len(ids) not in (0, 1):  # one is mounted for the next dyno, if there is room to make it
        yield f"there are {len(disks)} disks for {len(ids)} dynos and the next one"
    kept = {f"store-{json.loads(order.read_text())['port']}" for order in (home / "agent/data").glob("redis-*") if not order.suffix}
    yield from _strays(lot, ids | kept)


def _left_of_programs(copy: Copy) -> Iterator[str]:
    """At rest the platform's processes hold no mount and no namespace of a dyno or a build, and what they begin has ended."""
    home = copy.home
    for service in ("agent", "senryud"):
        with contextlib.suppress(OSError, ValueError):
            pid = copy.pid(service)
            for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
                if f"{home}/agent/" in line:
                    yield f"{service} still has the mount {line.split()[4]}"
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if _NAMESPACE.match(held := os.readlink(descriptor)):
                        yield f"{service} still has the namespace {held}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if f"{home}/agent/" in line or f"{home}/builds/" in line:
            yield f"the machine still has the mount {line.split()[4]}"
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if f"{home}/".encode() in words and os.path.basename(words.split(b"\0")[0]) in _SHORT_LIVED:
                yield f"process {process.name} still runs: {words[:120]!r}"


def _groups(lot: int) -> list[Path]:
    """The lot's control group in each hierarchy of version 1, or in the only one of version 2."""
    top = Path("/sys/fs/cgroup")
    return [group for group in (*top.glob(f"*/senryu-{lot}"), top / f"senryu-{lot}") if group.is_dir()]


def _named(directory: Path) -> set[str]:
    found = set()
    for place in directory.iterdir() if directory.is_dir() else ():
        with contextlib.suppress(ValueError):
            found.add(str(UUID(place.name)))
    return found


def _shims(home: Path) -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"conmon") and f"{home}/agent/runc".encode() in words:
                found.add(words[words.index(b"--cid") + 1].decode())
    return found


def _strays(lot: int, groups_there: set[str]) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if 2_000_000 + lot * _UIDS <= process.stat().st_uid < 2_000_000 + (lot + 1) * _UIDS:
                groups = (process / "cgroup").read_text()
                if not any(there in groups for there in groups_there):
                    yield f"process {process.name} belongs to no dyno nor store: {(process / 'cmdline').read_bytes()[:120]!r}"


def _routes(home: Path, live: list[Live]) -> Iterator[str]:
    """HAProxy has the web dynos that are up, and no others."""
    wanted = {dyno.id for dyno in live if dyno.kind == "formation" and dyno.name.startswith("web.") and dyno.state == "up"}
    try:
        lines = _ask(home / "run/haproxy.sock", "show servers state").splitlines()
    except OSError as error:
        yield f"router: {error}"
        return
    names = next((line[2:].split() for line in lines if line.startswith("# ")), [])
    routed = set()
    for line in lines:
        column = dict(zip(names, line.split(), strict=False))
        is_app = not line.startswith("#") and column.get("be_name", "").startswith("be_")
        if is_app and not int(column["srv_admin_state"]) & _MAINTENANCE:
            routed.add(column["srv_name"].partition(":")[2])
    if routed != wanted:
        yield f"router: too many {sorted(routed - wanted)}, missing {sorted(wanted - routed)}"


def _ask(path: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(command.encode() + b"\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer.decode()


def _leaks(home: Path, canary: str) -> Iterator[str]:
    """The value of a config var is in no log of the platform's, nor in any process's arguments."""
    secret = canary.encode()
    for log in (home / "services").glob("*/log/main/*"):
        with contextlib.suppress(OSError):
            if secret in log.read_bytes():
                yield f"the secret is in {log}"
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if secret in (process / "cmdline").read_bytes():
                yield f"the secret is in the arguments of process {process.name}"


def _output(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.splitlines()
