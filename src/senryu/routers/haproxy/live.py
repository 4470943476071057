"""HAProxy's answers about what it routes, read into `Live`. Text only.

Source: https://docs.haproxy.org/2.6/management.html#9.3 (show map, show servers state, show stat, show backend)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from operator import itemgetter
from uuid import UUID

from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.haproxy.slots import Live, Server, app_from

_MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20
_DRAIN = 0x08 | 0x10
_UNKNOWN_MAP = "Unknown map identifier"  # to a HAProxy that an older version started, until this one has it start anew
_COLUMNS = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_admin_state", "srv_uweight", "srv_id")


def questions(settings: RouterSettings) -> list[str]:
    """What to ask for `live_from`, in its order."""
    maps = (settings.hosts, settings.apps, settings.dynos, settings.error_pages, settings.maintenance_pages)
    return ["show backend", "show servers state", *(f"show map {file}" for file in maps)]


def live_from(answers: list[str]) -> Live:
    """What HAProxy routes, from its answers to `questions`."""
    backends, servers, hosts, apps, dynos, error_pages, maintenance_pages = answers
    return Live(
        slots=tuple(name for name in backends.splitlines() if name.startswith("be_")),
        servers=_servers(servers),
        hosts=rows(hosts),
        apps={slot: app_from(value) for slot, value in rows(apps).items()},
        dynos=None if dynos.startswith(_UNKNOWN_MAP) else rows(dynos),
        error_pages=rows(error_pages),
        maintenance_pages=rows(maintenance_pages),
    )


def rows(answer: str) -> dict[str, str]:
    """A map out of `show map`: `0x55d6d2a1a1b0 key value…` a line. Of a key given twice the first counts, as for HAProxy."""
    found: dict[str, str] = {}
    for line in answer.splitlines():
        _, key, value = line.split(" ", 2)
        found.setdefault(key, value)
    return found


def _servers(answer: str) -> Mapping[str, tuple[Server, ...]]:
    """A version line, a `# be_id be_name …` line that names the columns, then one server a line."""
    slots: dict[str, list[Server]] = {}
    columns: Callable[[list[str]], tuple[str, ...]] = itemgetter(*range(len(_COLUMNS)))
    for line in answer.splitlines():
        if line.startswith("# "):
            names = line[2:].split()
            columns = itemgetter(*map(names.index, _COLUMNS))  # a dict of every line would take most of a change's time
        elif " be_" in line:
            slot, name, address, port, admin_state, weight, number = columns(line.split())
            admin = int(admin_state)
            server = Server(
                name=name,
                address=f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
                is_draining=bool(admin & _DRAIN) or weight == "0",
                is_leaving=bool(admin & _MAINTENANCE),
                number=int(number),
            )
            slots.setdefault(slot, []).append(server)
    return {slot: tuple(servers) for slot, servers in slots.items()}


def slot_with(answer: str, dyno_id: UUID) -> str | None:
    """The slot a dyno is in, out of `show servers state`; a leaving one too."""
    found = (slot for slot, servers in _servers(answer).items() for server in servers if server.dyno_id == dyno_id)
    return next(found, None)


def busy_slots(answer: str) -> frozenset[str]:
    """Slots in which somebody is being served or waits, out of `show stat <slot> 2 -1`."""
    return frozenset(column["pxname"] for column in _statistics(answer) if column["scur"] != "0" or column["qcur"] != "0")


def held_slots(answer: str) -> frozenset[str]:
    """Slots with requests that are at none of their dynos, out of `show stat -1 6 -1`."""
    held: Counter[str] = Counter()
    for column in _statistics(answer):
        count = int(column["scur"] or 0)
        held[column["pxname"]] += count if column["svname"] == "BACKEND" else -count
    return frozenset(slot for slot, count in held.items() if count > 0)


def process_id(info: str) -> str:
    """Which process answers, out of `show info`."""
    return _words(info).get("Pid", "")


def quiet_slots(statistics: str, info: str) -> dict[str, float]:
    """For how many seconds no request of a slot began, 0 where one is under way; out of `show stat -1 2 -1` and `show info`."""
    uptime_s = float(_words(info).get("Uptime_sec", "0"))
    quiet = {}
    for column in _statistics(statistics):
        is_busy = column["scur"] != "0" or column["qcur"] not in ("", "0")
        last_s = float(column["lastsess"] or -1)
        quiet[column["pxname"]] = 0.0 if is_busy else uptime_s if last_s < 0 else last_s
    return quiet


def requests_on(answer: str, dyno_id: UUID) -> int:
    """How many requests a dyno has, queued ones too, out of `show stat <slot> 4 -1`: CSV under a `# pxname,svname,qcur,…` line."""
    for column in _statistics(answer):
        if column["svname"].endswith(f":{dyno_id}"):
            return int(column["qcur"] or 0) + int(column["scur"] or 0)
    return 0


def _words(info: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in info.splitlines() if ": " in line)


def _statistics(answer: str) -> list[dict[str, str]]:
    names, *lines = [line for line in answer.splitlines() if line] or [""]
    return [dict(zip(names.lstrip("# ").split(","), line.split(","), strict=False)) for line in lines]
