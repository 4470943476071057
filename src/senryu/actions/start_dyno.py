"""Starting one dyno: its record, its environment, its order to the engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from uuid import UUID, uuid4

from ..core import limits
from ..core.app import App
from ..core.clock import Clock, SteadyClock
from ..core.dyno import BASE_ENV, Dyno, DynoKind, DynoOrder, DynoState, Engine, port_of
from ..core.dyno_size import DynoSize
from ..core.feature import METADATA
from ..core.log_line import LogWriter
from ..core.object_store import buckets_in
from ..core.reach import reached_ports
from ..core.release import Release
from ..store.add_ons import attached_variables
from ..store.database import Database
from ..store.dyno_sizes import list_sizes
from ..store.dynos import TerminalWish, create_dyno, start_wish
from ..store.features import switched_off
from ..store.vault import Vault
from .note import note
from .tell import tell


def environment(
    app: App, release: Release, dyno: Dyno, size: DynoSize, extra: Mapping[str, str], off: Collection[str] = ()
) -> dict[str, str]:
    """What a dyno's processes find: defaults, config vars over them, what the platform alone decides over all.

    Source: Dev Center, dyno-metadata; reliability.md 4.7.
    """
    return {
        **BASE_ENV,
        "DYNO_RAM": str(size.memory_bytes // limits.MIB),
        **({} if METADATA in off else _metadata(app, release)),
        **release.config_vars,
        **extra,
        "DYNO": dyno.name,
        "PORT": str(dyno.port),
        "PS": dyno.name,
    }


def _metadata(app: App, release: Release) -> dict[str, str]:
    return {
        "HEROKU_APP_ID": str(app.id),
        "HEROKU_APP_NAME": app.name,
        "HEROKU_RELEASE_VERSION": f"v{release.version}",
        "HEROKU_RELEASE_CREATED_AT": release.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **({"HEROKU_SLUG_COMMIT": release.commit, "HEROKU_BUILD_COMMIT": release.commit} if release.commit else {}),
    }


def record(
    app: App,
    release: Release,
    *,
    kind: DynoKind,
    type: str,
    number: int,
    command: str,
    size: str,
    clock: Clock,
    crashes: int = 0,
    exit_code: int | None = None,
    lives_s: float | None = None,
    id: UUID | None = None,
) -> Dyno:
    """A dyno's record, not started yet."""
    dyno_id, steady = id or uuid4(), SteadyClock(clock)
    now = steady.now()
    return Dyno(
        id=dyno_id,
        app_id=app.id,
        kind=kind,
        type=type,
        number=number,
        release_id=release.id,
        release_version=release.version,
        command=command,
        size=size,
        state=DynoState.STARTING,
        port=port_of(dyno_id),
        created_at=now,
        changed_at=now,
        crashes=crashes,
        exit_code=exit_code,
        expires_at=now + timedelta(seconds=lives_s) if lives_s else None,
        clock=steady.stamp,
    )


def order_of(
    app: App, release: Release, dyno: Dyno, size: DynoSize, env: Mapping[str, str], attached: Mapping[str, str], wish: TerminalWish
) -> DynoOrder:
    """What the engine is told."""
    return DynoOrder(
        id=dyno.id,
        app_id=app.id,
        app_name=app.name,
        name=dyno.name,
        kind=dyno.kind,
        command=dyno.command,
        env=env,
        slug=release.slug_checksum,
        stack=release.stack,
        memory_bytes=size.memory_bytes,
        cpu_shares=size.cpu_shares,
        pids=size.pids,
        disk_bytes=limits.DYNO_DISK_BYTES,
        port=dyno.port,
        tty=wish.tty,
        stdin=wish.attach,
        columns=wish.columns,
        lines=wish.lines,
        reaches=reached_ports(env, attached),
        buckets=buckets_in(env.values()),
    )


async def start_dyno(
    app: App, release: Release, dyno: Dyno, *, is_new: bool, db: Database, vault: Vault, engine: Engine, log_writer: LogWriter, clock: Clock
) -> None:
    """Stores the record (when new) and has the engine start the dyno. Repeating it for a record without a dyno is safe.

    Raises: Invalid, Unavailable as the engine does.
    """
    if is_new:
        async with db.transaction() as tx:
            await create_dyno(tx, dyno)
            await note(tx, app, dyno, "create", now=dyno.created_at)
            attached, off = await attached_variables(tx, app.id, vault=vault), await switched_off(tx, app.id)
            size = (await list_sizes(tx)).known(dyno.size)
        extra: dict[str, str] = {}
        wish = TerminalWish()
    else:
        async with db.reading() as tx:
            extra, wish = await start_wish(tx, dyno.id, vault=vault)
            attached, off = await attached_variables(tx, app.id, vault=vault), await switched_off(tx, app.id)
            size = (await list_sizes(tx)).known(dyno.size)
    env = environment(app, release, dyno, size, {**attached, **extra}, off)
    shown = dyno.command.replace("${PORT}", str(dyno.port)).replace("$PORT", str(dyno.port))
    await tell(app.id, dyno.name, f"Starting process with command `{shown}`", log_writer=log_writer, clock=clock)
    await engine.start(order_of(app, release, dyno, size, env, attached, wish))
