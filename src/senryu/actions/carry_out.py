"""Carrying out the steps that `core.formation.steps` decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from ..core import codes, limits
from ..core.app import App
from ..core.clock import Clock
from ..core.dyno import Dyno, DynoKind, DynoState, Engine
from ..core.errors import Invalid
from ..core.formation import Become, Drain, FailRelease, Forget, Kill, Retire, Start, Step, Terminate, Wanted
from ..core.formation import ProcessType as Entry
from ..core.log_line import LogWriter
from ..core.release import Release, ReleaseStatus
from ..core.sleep import IDLING, OUT_OF_HOURS, SleepReason
from ..store.database import Database
from ..store.dynos import delete_dyno, list_dynos, set_dyno
from ..store.releases import update_status
from ..store.vault import Vault
from .meter import meter_dyno
from .note import note
from .start_dyno import record, start_dyno
from .tell import tell

ONE_OFF_KEPT_S = 600.0
_WHY = {
    "release": "Restarting",
    "restart": "Restarting",
    "stop": "Stopping",
    "cycle": "Cycling",
    "scale": "Scaling down",
}


class Followers(Protocol):
    """Brings what dynos write into the apps' logs."""

    def follow(self, app_id: UUID, dyno_id: UUID, dyno_name: str) -> None:
        """Starts (once) to read a dyno's output into the log."""

    async def read_out(self, dyno_id: UUID, timeout_s: float = ...) -> bool:
        """Waits, within a limit, until everything an ended dyno wrote is in the log; whether it is."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What steps are carried out with. `read_out` waits until all that a dyno wrote is in the log."""

    db: Database
    vault: Vault
    engine: Engine
    log_writer: LogWriter
    clock: Clock
    read_out: Callable[[UUID], Awaitable[bool]]


async def carry_out(step: Step, app: App, wanted: Wanted, sizes: dict[str, Entry], *, hands: Hands) -> None:
    """One step. Raises: Unavailable when a part does not answer; the step is then decided anew."""
    match step:
        case Start():
            await _start(step, app, wanted, sizes, hands)
        case Become():
            await _become(step, app, wanted, hands)
        case Retire(dyno, why):
            async with hands.db.transaction() as tx:
                await set_dyno(tx, dyno.id, retiring=why)
            if why == "cycle":
                await _say(app, dyno, hands, _WHY[why])
            elif why == "idle":
                await _say(app, dyno, hands, _idling(wanted), f"State changed from {dyno.state.value} to down")
        case Drain(dyno):
            async with hands.db.transaction() as tx:
                await set_dyno(tx, dyno.id, drained_at=hands.clock.now())
        case Terminate(dyno):
            await _terminate(dyno, app, hands)
        case Kill():
            await _kill(step, app, hands)
        case Forget(dyno):
            await forget(dyno, hands, app)
        case FailRelease():
            await _fail_release(step, app, hands)


def _idling(wanted: Wanted) -> str:
    return OUT_OF_HOURS if wanted.sleep is SleepReason.HOURS else IDLING


async def _say(app: App, dyno: Dyno, hands: Hands, *texts: str) -> None:
    await tell(app.id, dyno.name, *texts, log_writer=hands.log_writer, clock=hands.clock)


async def _start(step: Start, app: App, wanted: Wanted, sizes: dict[str, Entry], hands: Hands) -> None:
    release = wanted.release
    assert release is not None, "steps() starts nothing without a release"
    dyno = record(
        app,
        release,
        kind=DynoKind.FORMATION,
        type=step.type,
        number=step.number,
        command=release.process_types[step.type],
        size=sizes[step.type].size,
        clock=hands.clock,
        crashes=step.crashes,
        exit_code=step.exit_code,
    )
    await start(app, release, dyno, is_new=True, hands=hands)


async def start(app: App, release: Release, dyno: Dyno, *, is_new: bool, hands: Hands) -> None:
    """Starts a dyno of the formation. One that the engine refuses has crashed: it backs off, and a deploy fails by it."""
    try:
        await start_dyno(
            app,
            release,
            dyno,
            is_new=is_new,
            db=hands.db,
            vault=hands.vault,
            engine=hands.engine,
            log_writer=hands.log_writer,
            clock=hands.clock,
        )
    except Invalid as refused:
        now = hands.clock.now()
        await _say(app, dyno, hands, refused.message, "State changed from starting to crashed")
        async with hands.db.transaction() as tx:
            await set_dyno(tx, dyno.id, state=DynoState.CRASHED, changed_at=now, ended_at=now, crashes=dyno.crashes + 1)
            await note(tx, app, replace(dyno, state=DynoState.CRASHED, changed_at=now), "update", now=now, was=dyno)


async def _become(step: Become, app: App, wanted: Wanted, hands: Hands) -> None:
    dyno, now = step.dyno, hands.clock.now()
    if step.state is DynoState.UP:
        async with hands.db.transaction() as tx:
            await set_dyno(tx, dyno.id, state=DynoState.UP, changed_at=now)
            await note(tx, app, replace(dyno, state=DynoState.UP, changed_at=now), "update", now=now, was=dyno)
            await meter_dyno(tx, app, dyno, step.seen.started_at if step.seen else None, clock=hands.clock)
        await _say(app, dyno, hands, f"State changed from {dyno.state.value} to up")
        return
    if wanted.sleep is not None and step.state is DynoState.DOWN and dyno.kind is DynoKind.FORMATION:
        step = replace(step, state=DynoState.IDLE)  # it was going for another reason; nothing follows it now
    is_read = await hands.read_out(dyno.id)
    was_healthy = dyno.state is DynoState.UP and (now - dyno.changed_at).total_seconds() >= limits.CRASH_FORGIVEN_AFTER_S
    crashes = (0 if was_healthy else dyno.crashes) + 1 if step.state is DynoState.CRASHED else dyno.crashes
    texts = []
    if step.reason == "R15":
        texts.append(codes.R15)
    if step.reason == "lost" and dyno.state is DynoState.STARTING and dyno.kind is DynoKind.ONE_OFF:
        texts.append("Process was never started: the platform was away")
    if step.exit_code is not None:
        texts.append(f"Process exited with status {step.exit_code}")
    if step.state is DynoState.IDLE and dyno.retiring != "idle":
        texts += [_idling(wanted), f"State changed from {dyno.state.value} to down"]
    elif dyno.retiring != "idle":  # told when it was to go
        texts.append(f"State changed from {dyno.state.value} to {step.state.value}")
    await _say(app, dyno, hands, *texts)
    kept = {} if dyno.kind is DynoKind.FORMATION else {"expires_at": now + timedelta(seconds=ONE_OFF_KEPT_S)}
    async with hands.db.transaction() as tx:
        await set_dyno(tx, dyno.id, state=step.state, changed_at=now, ended_at=now, exit_code=step.exit_code, crashes=crashes, **kept)
        ended = replace(dyno, state=step.state, changed_at=now, ended_at=now, exit_code=step.exit_code)
        await note(tx, app, ended, "update", now=now, was=dyno)
        began, over = (step.seen.started_at, step.seen.ended_at) if step.seen else (None, None)
        await meter_dyno(tx, app, dyno, began, over or now, clock=hands.clock)
    # The release phase removes its own once it has read all of the output; what the log could not take waits until it is forgotten.
    if dyno.kind is not DynoKind.RELEASE and (is_read or dyno.kind is not DynoKind.ONE_OFF):
        await hands.engine.remove(dyno.id)


async def _terminate(dyno: Dyno, app: App, hands: Hands) -> None:
    texts = [_WHY[dyno.retiring]] if dyno.retiring in ("release", "restart", "stop") else []
    await _say(app, dyno, hands, *texts, "Stopping all processes with SIGTERM")
    # The signal first: a death between leaves a record that has it sent again, not one that says it was sent and is wrong.
    await hands.engine.signal(dyno.id, "TERM")
    async with hands.db.transaction() as tx:
        await set_dyno(tx, dyno.id, stopped_at=hands.clock.now())


async def _kill(step: Kill, app: App, hands: Hands) -> None:
    dyno = step.dyno
    texts = [codes.R10 if step.reason == "R10" else codes.R12]
    if step.listens_locally:
        texts.append(codes.R10_HINT)
    elif step.other_port:
        texts.append(codes.R10_OTHER.format(port=step.other_port))
    await _say(app, dyno, hands, *texts, "Stopping process with SIGKILL")
    await hands.engine.signal(dyno.id, "KILL")
    async with hands.db.transaction() as tx:
        await set_dyno(tx, dyno.id, killed_at=hands.clock.now())


async def forget(dyno: Dyno, hands: Hands, app: App) -> None:
    """Deletes a dyno's traces, then its record: in this order, so that a crash between leaves a record that is deleted again."""
    await hands.engine.remove(dyno.id)
    async with hands.db.transaction() as tx:
        await delete_dyno(tx, dyno.id)
        await note(tx, app, dyno, "destroy", now=hands.clock.now())


async def _fail_release(step: FailRelease, app: App, hands: Hands) -> None:
    release, now = step.release, hands.clock.now()
    async with hands.db.transaction() as tx:
        await update_status(tx, release.id, ReleaseStatus.FAILED, now, failure=step.because)
        failed = replace(release, status=ReleaseStatus.FAILED, updated_at=now)
        await note(tx, app, failed, "update", now=now, by=release.user_id, was=release)
        for dyno in await list_dynos(tx, app.id):
            if dyno.retiring == "release" and dyno.stopped_at is None and dyno.release_id != release.id:
                await set_dyno(tx, dyno.id, retiring=None, drained_at=None)
    text = f"Release v{release.version} failed: {step.because}; the release before it goes on serving"
    await tell(app.id, "api", text, log_writer=hands.log_writer, clock=hands.clock, source="app")
