"""pg:backups, :capture, :info, :url, :download, :restore, :cancel, :delete, :schedule, :schedules, :unschedule; pg:copy.

Source: https://devcenter.heroku.com/articles/heroku-postgres-backups
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from senryu.cli.arguments import AN_APP, CONFIRM, JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, confirm, heading, hexagon, note, paint, pairs, say, table
from senryu.cli.pg_database import address
from senryu.cli.platform_api import PlatformApi, open_stream, path_of
from senryu.cli.remotes import app_for

_POLL_S = 1.0
_DOWNLOAD_TIMEOUT_S = 60.0
_SHOWN = 10
_AT = re.compile(r"^(0?\d|1\d|2[0-3]):00 ?(\S*)$")
_UNITS = ("B", "KB", "MB", "GB", "TB")
Found = dict[str, Any]


def _name(transfer: Found) -> str:
    """`b001`, `a001`, `r001`, `c001`."""
    if transfer["to_type"] == "pg_restore":
        return f"{'c' if transfer['from_type'] == 'pg_dump' else 'r'}{transfer['num']:03d}"
    return f"{'a' if transfer['schedule'] else 'b'}{transfer['num']:03d}"


def size(count: float) -> str:
    """`1.50MB` of bytes."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.2f}{_UNITS[unit]}" if unit else f"{int(count)}B"


def _status(transfer: Found) -> str:
    if transfer["finished_at"] is None:
        return f"Running (processed {size(transfer['processed_bytes'])})" if transfer["started_at"] else "Pending"
    if transfer["succeeded"]:
        return f"Finished with {transfer['warnings']} warnings" if transfer["warnings"] else f"Completed {transfer['finished_at']}"
    return f"{'Canceled' if transfer['canceled_at'] else 'Failed'} {transfer['finished_at']}"


def _all(api: PlatformApi, app: str) -> list[Found]:
    found: list[Found] = api.get(path_of("client", "v11", "apps", app, "transfers"))
    return sorted(found, key=lambda each: int(each["num"]), reverse=True)


def _backups(found: Iterable[Found]) -> list[Found]:
    return [each for each in found if each["to_type"] == "gof3r"]


def _newest(api: PlatformApi, app: str) -> Found:
    found = [each for each in _backups(_all(api, app)) if each["succeeded"]]
    if not found:
        raise Failure(f"No backups on {app}", hint="Make one with `senryu pg:backups:capture`")
    return found[0]


def _one(api: PlatformApi, app: str, name: str, *, verbose: bool = False) -> Found:
    path = path_of("client", "v11", "apps", app, "transfers", name)
    found: Found = api.get(f"{path}?verbose=true" if verbose else path)
    return found


def _database(api: PlatformApi, app: str, name: str) -> Found:
    """The attachment a user means, `DATABASE` when none is named."""
    found: list[Found] = api.post("/actions/addon-attachments/resolve", {"addon_attachment": name or "DATABASE", "app": app})
    return found[0]


def _watch(api: PlatformApi, app: str, begun: Found, what: str) -> int:
    """Waits for the end of one; Ctrl-C leaves it running."""
    with Progress(what) as progress:
        while begun["finished_at"] is None:
            time.sleep(_POLL_S)
            begun = _one(api, app, begun["uuid"], verbose=True)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{what}... {size(begun['processed_bytes']):12}\r{what}... ")
                sys.stderr.flush()
        if not begun["succeeded"]:
            progress.done = paint("!", "red", sys.stderr)
    if begun["succeeded"]:
        say(f"{_name(begun)}: {_status(begun)}, {size(begun['processed_bytes'])}")
        return 0
    for line in begun["logs"][-5:]:
        note(line["message"])
    raise Failure(f"{_name(begun)} did not finish", hint=f"See `senryu pg:backups:info {_name(begun)} -a {app}`")


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = _all(api, app)
    if typed.on("json"):
        return as_json(found)
    _listed("Backups", [each for each in found if _name(each)[0] in "ab"], app, {"Database": "from_name"})
    _listed("Restores", [each for each in found if _name(each)[0] == "r"][:_SHOWN], app, {"From": "from_name", "Database": "to_name"})
    return _listed("Copies", [each for each in found if _name(each)[0] == "c"][:_SHOWN], app, {"From": "from_name", "To": "to_name"})


def _listed(title: str, found: list[Found], app: str, sides: dict[str, str]) -> None:
    heading(title)
    if not found:
        return say(f"None on {hexagon(app, sys.stdout)}.")
    rows = []
    for each in found:
        names = [each[side] for side in sides.values()]
        rows.append((_name(each), each["created_at"], _status(each), size(each["processed_bytes"]), *names))
    return table(rows, ("ID", "Created at", "Status", "Size", *sides))


def _capture(typed: Typed) -> int:
    app = app_for(typed)
    with PlatformApi() as api:
        add_on = _database(api, app, typed.first())["addon"]
        begun = api.post(path_of("client", "v11", "databases", add_on["id"], "backups"))
        return _watch(api, add_on["app"]["name"], begun, f"Backing up {begun['from_name']} to {_name(begun)}")


def _info(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = _one(api, app, typed.first() or _newest(api, app)["uuid"], verbose=True)
    if typed.on("json"):
        return as_json(found)
    heading(f"Backup {_name(found)}")
    pairs({
        "Database": found["from_name"],
        "Started at": found["started_at"],
        "Finished at": found["finished_at"],
        "Status": _status(found),
        "Type": "Scheduled" if found["schedule"] else "Manual",
        "Original DB Size": size(found["source_bytes"]),
        "Backup Size": size(found["processed_bytes"]),
    })  # fmt: skip
    heading("Backup Logs")
    for line in found["logs"]:
        say(f"{line['created_at']} {line['message']}")
    return None


def _link(api: PlatformApi, app: str, name: str) -> str:
    path = path_of("client", "v11", "apps", app, "transfers", name or _newest(api, app)["uuid"], "actions", "public-url")
    return str(api.post(path)["url"])


def _url(typed: Typed) -> None:
    with PlatformApi() as api:
        say(_link(api, app_for(typed), typed.first()))


def _download(typed: Typed) -> None:
    app, target = app_for(typed), _free(typed.text("output"))
    with PlatformApi() as api, Progress(f"Downloading to {target}"):
        where = f"{api.url}{urlsplit(_link(api, app, typed.first())).path}"
        half = target.with_name(f"{target.name}.part")
        try:
            with open_stream(where, {}, _DOWNLOAD_TIMEOUT_S) as answer, half.open("wb") as file:
                if answer.status != 200:
                    raise Failure(f"The platform answered {answer.status} instead of the backup", hint="Try again")
                shutil.copyfileobj(answer, file, 1 << 20)
            os.replace(half, target)
        finally:
            half.unlink(missing_ok=True)


def _free(output: str | None) -> Path:
    """`latest.dump`, or the next `latest.dump.N` that is free."""
    if output:
        return Path(output)
    names = [Path("latest.dump"), *(Path(f"latest.dump.{number}") for number in range(1, 1000))]
    return next(name for name in names if not name.exists())


def _restore(typed: Typed) -> int:
    app = app_for(typed)
    wanted, database = (*typed.args, "", "")[:2]
    with PlatformApi() as api:
        add_on = _database(api, app, database)["addon"]
        url, name = wanted, wanted.partition("?")[0]  # a signature is as good as a password
        if "://" in wanted and not wanted.startswith(("http://", "https://")):
            raise Failure(f"`{wanted.partition('://')[0]}://` is no address of a backup", hint="Use an http or https one")
        if "://" not in wanted:
            of_app, _, plain = wanted.rpartition("::")
            backup = _one(api, of_app or app, plain) if plain else _newest(api, app)
            url, name = str(backup["to_url"]), _name(backup)
        confirm(app, typed.text("confirm"), f"This will replace all data of {add_on['name']} by {name}")
        body: Found = {"backup_url": url}
        if typed.text("extensions"):
            body["extensions"] = [each.strip() for each in (typed.text("extensions") or "").split(",")]
        begun = api.post(path_of("client", "v11", "databases", add_on["id"], "restores"), body)
        return _watch(api, add_on["app"]["name"], begun, f"Restoring {name} to {begun['to_name']}")


def _cancel(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        open_ones = [each for each in _all(api, app) if each["finished_at"] is None]
        if not typed.args and not open_ones:
            raise Failure(f"Nothing is under way on {app}")
        found = _one(api, app, typed.first()) if typed.args else open_ones[0]
        with Progress(f"Canceling {_name(found)}"):
            api.post(path_of("client", "v11", "apps", app, "transfers", found["uuid"], "actions", "cancel"))


def _delete(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        confirm(app, typed.text("confirm"), f"This will delete the backup {typed.first()} of {hexagon(app)}")
        with Progress(f"Deleting {typed.first()}"):
            api.delete(path_of("client", "v11", "apps", app, "transfers", typed.first()))


def _schedule(typed: Typed) -> None:
    app, at = app_for(typed), _AT.match(typed.text("at") or "")
    if at is None:
        raise Failure("`--at` takes a full hour and a time zone", hint="Such as `--at '02:00 Europe/Berlin'`")
    with PlatformApi() as api:
        attachment = _database(api, app, typed.first())
        body = {"hour": at[1], "timezone": at[2] or "UTC", "schedule_name": f"{attachment['name']}_URL"}
        with Progress(f"Scheduling daily backups of {attachment['addon']['name']} at {at[1]}:00 {at[2] or 'UTC'}"):
            api.post(path_of("client", "v11", "databases", attachment["addon"]["id"], "transfer-schedules"), body)


def _scheduled(api: PlatformApi, app: str) -> list[tuple[str, Found]]:
    """Each schedule with the id of its database."""
    attached = api.pages(path_of("apps", app, "addon-attachments"))
    ids = {each["addon"]["id"] for each in attached if each["addon"]["plan"]["name"].startswith("heroku-postgresql:")}
    return [(id, each) for id in sorted(ids) for each in api.get(path_of("client", "v11", "databases", id, "transfer-schedules"))]


def _schedules(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = [each for _, each in _scheduled(api, app)]
    if typed.on("json"):
        return as_json(found)
    if not found:
        return say(f"No backup schedules on {hexagon(app, sys.stdout)}; `senryu pg:backups:schedule` sets one up.")
    return table(((each["name"], f"daily at {each['hour']}:00 {each['timezone']}") for each in found), ("Database", "Backup"))


def _unschedule(typed: Typed) -> None:
    app, wanted = app_for(typed), typed.first().upper().removesuffix("_URL")
    with PlatformApi() as api:
        every = _scheduled(api, app)
        found = [entry for entry in every if not wanted or entry[1]["name"].removesuffix("_URL") == wanted]
        if not every:
            raise Failure(f"No backup schedules on {app}")
        if len(found) != 1:
            there = f"{app} has schedules of {', '.join(str(each['name']) for _, each in every)}"
            raise Failure(f"{there}, none of {wanted}" if wanted else there, hint="Name one of them")
        id, schedule = found[0]
        with Progress(f"Unscheduling daily backups of {schedule['name']}"):
            api.delete(path_of("client", "v11", "databases", id, "transfer-schedules", schedule["uuid"]))


def _side(api: PlatformApi, app: str, name: str) -> tuple[str, str, Found | None]:
    """The URL of one side of a copy, what it is called, and its add-on when it is one."""
    if name.startswith(("postgres://", "postgresql://")):
        parts = address(name)
        return name, f"{parts.path.strip('/')} on {parts.hostname}", None
    attachment = _database(api, app, name)
    config = api.get(path_of("apps", attachment["app"]["name"], "config-vars"))
    return config[f"{attachment['name']}_URL"], attachment["name"], attachment["addon"]


def _copy(typed: Typed) -> int:
    app = app_for(typed)
    with PlatformApi() as api:
        (from_url, from_name, source), (to_url, to_name, target) = (_side(api, app, name) for name in typed.args)
        add_on = target or source
        if add_on is None:
            raise Failure("One of the two databases must be an add-on of this platform")
        confirm(app, typed.text("confirm"), f"This will replace all data of {to_name} by that of {from_name}")
        body = {"from_name": from_name, "from_url": from_url, "to_name": to_name, "to_url": to_url}
        begun = api.post(path_of("client", "v11", "databases", add_on["id"], "transfers"), body)
        return _watch(api, add_on["app"]["name"], begun, f"Copying {from_name} to {to_name}")


_WITH = (*AN_APP, JSON)
TOPIC = {
    "pg:backups": Command(_index, "", _WITH),
    "pg:backups:capture": Command(_capture, "[DATABASE]", AN_APP, most=1),
    "pg:backups:info": Command(_info, "[BACKUP]", _WITH, most=1, examples=("pg:backups:info b001",)),
    "pg:backups:url": Command(_url, "[BACKUP]", AN_APP, most=1),
    "pg:backups:download": Command(
        _download, "[BACKUP]", (*AN_APP, Flag("output", "o", "FILE", "where to; latest.dump when not said")), most=1
    ),
    "pg:backups:restore": Command(
        _restore,
        "[BACKUP|URL [DATABASE]]",
        (*AN_APP, CONFIRM, Flag("extensions", "e", "NAMES", "extensions to make first, with commas between")),
        most=2,
        examples=("pg:backups:restore b001 DATABASE --confirm myapp", "pg:backups:restore other::b002"),
    ),
    "pg:backups:cancel": Command(_cancel, "[BACKUP]", AN_APP, most=1),
    "pg:backups:delete": Command(_delete, "BACKUP", (*AN_APP, CONFIRM), least=1, most=1, examples=("pg:backups:delete b001",)),
    "pg:backups:schedule": Command(
        _schedule,
        "[DATABASE]",
        (*AN_APP, Flag("at", "", "'HOUR:00 ZONE'", "when; the time zone is UTC when not said")),
        most=1,
        examples=("pg:backups:schedule DATABASE --at '02:00 Europe/Berlin'",),
    ),
    "pg:backups:schedules": Command(_schedules, "", _WITH),
    "pg:backups:unschedule": Command(_unschedule, "[DATABASE]", AN_APP, most=1),
    "pg:copy": Command(_copy, "FROM TO", (*AN_APP, CONFIRM), least=2, most=2, examples=("pg:copy DATABASE HEROKU_POSTGRESQL_TEAL",)),
}
