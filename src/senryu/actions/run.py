"""One-off dynos: a command run once with the current release's code and config.

Source: https://devcenter.heroku.com/articles/one-off-dynos
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from ..core import limits
from ..core.account import Account
from ..core.app import App
from ..core.clock import Clock
from ..core.config_var import checked_key
from ..core.dyno import Dyno, DynoKind, Engine
from ..core.dyno_size import DynoSize, check_one_off, check_together
from ..core.errors import Invalid, NotFound
from ..core.feature import EXEC
from ..core.formation import Supervision
from ..core.log_line import LogWriter
from ..core.release import Release
from ..store.add_ons import attached_variables
from ..store.database import Database, Transaction
from ..store.dyno_sizes import list_sizes
from ..store.dynos import TerminalWish, create_dyno, delete_dyno, list_dynos, start_wish
from ..store.features import switched_off
from ..store.formation import list_formation
from ..store.releases import current_release, find_release
from ..store.vault import Vault
from .note import note
from .spend_hours import is_spent
from .start_dyno import environment, record, start_dyno
from .switch_feature import needs_feature
from .tell import tell

COMMAND_MAX_BYTES = 32 * 1024


def _expanded(command: str, process_types: Mapping[str, str]) -> str:
    """A command that is the name of a process type, alone or with arguments, runs that type's command."""
    first, _, rest = command.strip().partition(" ")
    if first in process_types and first not in ("web", "release"):
        return f"{process_types[first]} {rest}".strip()
    return command


def checked_command(command: str, *, most_bytes: int = COMMAND_MAX_BYTES) -> str:
    """A command to run once. Raises: Invalid."""
    if not command.strip() or "\0" in command or len(command.encode()) > most_bytes:
        raise Invalid(f"The command is empty or longer than {most_bytes // 1024} KB; give one such as `bash`.")
    return command


async def _size_of(
    tx: Transaction, app: App, wanted: str | None, default_size: str, running: Sequence[Dyno], now: datetime
) -> DynoSize:
    """The size of one more one-off beside dynos that run. Raises: Invalid, Forbidden."""
    sizes, formation = await list_sizes(tx), await list_formation(tx, app.id)
    used = {entry.type: (0, entry.size) for entry in formation if entry.quantity > 0}
    kept_to = sizes.of_app(entry.size for entry in formation)
    chosen = sizes.for_payer(wanted, app.payer) if wanted else kept_to or sizes.default_of(default_size)
    if wanted:
        check_together(sizes, {**used, "a one-off": (0, chosen.name)})
    one_offs = sum(1 for dyno in running if dyno.kind is DynoKind.ONE_OFF and dyno.size == chosen.name)
    staying = [dyno.size for dyno in running if dyno.kind is not DynoKind.FORMATION or dyno.retiring is None]
    check_one_off(chosen, staying, one_offs)
    if await is_spent(tx, app.payer, chosen, now):
        raise Invalid(f"The {chosen.name} dyno hours of this month are used up; wait for the next one, or use another size.", app=app.name)
    return chosen


async def record_one_off(
    tx: Transaction,
    app: App,
    command: str,
    *,
    type: str,
    size: str | None,
    default_size: str,
    lives_s: float,
    env: Mapping[str, str],
    wish: TerminalWish,
    by: UUID | None,
    vault: Vault,
    clock: Clock,
) -> tuple[Dyno, Release]:
    """Stores the record of a one-off dyno of the current release, not started yet. Every one-off begins here.

    Takes: `size`, None for what the app keeps to, or the default.
    Raises: Invalid when nothing is deployed, the app may run no more of them, or none of that size; Forbidden for a size kept for others.
    """
    release = await current_release(tx, app.id, vault=vault)
    if release is None or release.slug_id is None:
        raise Invalid(f"Nothing is deployed to {app.name} yet; push code first.", app=app.name)
    running = [dyno for dyno in await list_dynos(tx, app.id) if dyno.ended_at is None]
    live = [dyno for dyno in running if dyno.kind is DynoKind.ONE_OFF]
    if len(live) >= limits.ONE_OFF_DYNOS_PER_APP_MAX:
        raise Invalid(f"{app.name} already runs {len(live)} one-off dynos; stop one with `senryu ps:stop`.", app=app.name)
    chosen = await _size_of(tx, app, size, default_size, running, clock.now())
    taken = {dyno.number for dyno in live}
    number = next(roll for roll in iter(lambda: 1000 + secrets.randbelow(9000), None) if roll not in taken)
    dyno = record(
        app,
        release,
        kind=DynoKind.ONE_OFF,
        type=type,
        number=number,
        command=_expanded(command, release.process_types),
        size=chosen.name,
        clock=clock,
        lives_s=lives_s,
    )
    await create_dyno(tx, dyno, env=env, terminal=wish, vault=vault)
    await note(tx, app, dyno, "create", now=dyno.created_at, by=by)
    return dyno, release


async def run(
    app: App,
    command: str,
    *,
    env: Mapping[str, str],
    wish: TerminalWish,
    size: str | None,
    default_size: str,
    by: Account,
    db: Database,
    vault: Vault,
    engine: Engine,
    log_writer: LogWriter,
    supervision: Supervision,
    clock: Clock,
    type: str = "run",
) -> Dyno:
    """Starts a one-off dyno; with `wish.attach` its program begins when a terminal is attached.

    Raises: Invalid when nothing is deployed, the command is empty or too long, or too many one-offs run.
    """
    checked_command(command)
    for key in env:
        checked_key(key)
    async with db.transaction() as tx:
        dyno, release = await record_one_off(
            tx,
            app,
            command,
            type=type,
            size=size,
            default_size=default_size,
            lives_s=limits.ONE_OFF_MAX_S,
            env=env,
            wish=wish,
            by=by.id,
            vault=vault,
            clock=clock,
        )
    told = f"Starting process with command `{command[:200]}` by user {by.email}"
    await tell(app.id, "api", told, log_writer=log_writer, clock=clock, source="app")
    try:
        await start_dyno(app, release, dyno, is_new=False, db=db, vault=vault, engine=engine, log_writer=log_writer, clock=clock)
    except Invalid:
        async with db.transaction() as tx:
            await delete_dyno(tx, dyno.id)
        raise
    supervision.wake(app.id)
    return dyno


async def environment_inside(app: App, dyno: Dyno, extra: Mapping[str, str], *, db: Database, vault: Vault) -> dict[str, str]:
    """What a command inside a running dyno finds: the dyno's own environment, `extra` over it. Raises: Invalid, NotFound."""
    for key in extra:
        checked_key(key)
    async with db.reading() as tx:
        release = await find_release(tx, app.id, dyno.release_id, vault=vault)
        given, _ = await start_wish(tx, dyno.id, vault=vault)
        await needs_feature(tx, app, EXEC)
        attached, off = await attached_variables(tx, app.id, vault=vault), await switched_off(tx, app.id)
        size = (await list_sizes(tx)).known(dyno.size)
    if release is None:
        raise NotFound(f"Couldn't find the release that {dyno.name} runs.", app=app.name)
    return environment(app, release, dyno, size, {**attached, **given, **extra}, off)


def terminal_wish(env: Mapping[str, str], *, attach: bool, tty: bool) -> tuple[TerminalWish, dict[str, str]]:
    """The terminal a client asks for by TERM, COLUMNS and LINES, and the environment without the latter two."""

    def number(key: str, default: int) -> int:
        text = env.get(key, "")
        is_number = text.isascii() and text.isdigit() and len(text) <= 9
        return min(int(text), 1000) if is_number and int(text) > 0 else default

    wish = TerminalWish(attach, attach and tty, number("COLUMNS", 80), number("LINES", 24))
    return wish, {key: value for key, value in env.items() if key not in ("COLUMNS", "LINES")}
