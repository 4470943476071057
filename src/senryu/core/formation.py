"""Formations: how many dynos of each process type an app wants, and the steps from what is to what should be.

Source: https://devcenter.heroku.com/articles/scaling, /articles/dynos#dyno-crash-restart-policy, /articles/preboot; schema `formation`.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

from . import limits
from .dyno import Dyno, DynoKind, DynoState, ObservedDyno
from .errors import Invalid
from .release import Release
from .sleep import SleepReason

NOT_SCALABLE = frozenset({"release", "console", "rake"})
_ONE_AT_A_TIME = frozenset({"free", "eco"})
T = TypeVar("T")
_QUANTITY = re.compile(r"^([+-]?)(\d{1,6})\Z")


@dataclass(frozen=True, slots=True)
class ProcessType:
    """One line of a formation: `web`, 2 of size Standard-1X. Kept across releases, also while the Procfile does not name the type."""

    id: UUID
    app_id: UUID
    type: str
    quantity: int
    size: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """Start a dyno. `crashes` is how often the name crashed in a row, for the next back-off, `exit_code` how it ended the last time."""

    type: str
    number: int
    crashes: int = 0
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Become:
    """The dyno's state changed by itself (it bound its port, it ended); `seen` is how that is known, None when the engine lost it."""

    dyno: Dyno
    state: DynoState
    exit_code: int | None = None
    reason: Literal["", "R10", "R15", "lost"] = ""
    seen: ObservedDyno | None = None


@dataclass(frozen=True, slots=True)
class Retire:
    """The dyno is to go once others do its work; `why` is `release`, `restart`, `stop`, `scale`, `cycle` or `idle`."""

    dyno: Dyno
    why: str


@dataclass(frozen=True, slots=True)
class Drain:
    """The router gives the dyno nothing new."""

    dyno: Dyno


@dataclass(frozen=True, slots=True)
class Terminate:
    """SIGTERM to every process of the dyno."""

    dyno: Dyno


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL; `reason` R10 or R12. `listens_locally`: it did bind its port, where nobody reaches it; `other_port`: it bound that one."""

    dyno: Dyno
    reason: str
    listens_locally: bool = False
    other_port: int = 0


@dataclass(frozen=True, slots=True)
class Forget:
    """The dyno is over: the engine deletes its traces and the record goes."""

    dyno: Dyno


@dataclass(frozen=True, slots=True)
class FailRelease:
    """The deploy's web dynos did not come up while the older release serves: the release fails, the old one stays."""

    release: Release
    because: str


Step = Start | Become | Retire | Drain | Terminate | Kill | Forget | FailRelease


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the database says of one app's formation. `quantities` holds only types that the release's slug names.

    `has_preboot`: web dynos serve on until new ones are up. Without it they go while the new ones start, and come what may.
    `sleep`: why nothing of the formation runs although it should (`core/sleep.py`), None when the app is awake.
    """

    release: Release | None
    quantities: Mapping[str, int] = field(default_factory=dict)
    has_preboot: bool = True
    sleep: SleepReason | None = None


def quantities(release: Release | None, formation: Iterable[ProcessType]) -> dict[str, int]:
    """How many of each type should run for a release. Nothing without code; `release` and its like never."""
    if release is None or release.slug_id is None:
        return {}
    return {
        entry.type: entry.quantity
        for entry in formation
        if entry.quantity > 0 and entry.type in release.process_types and entry.type not in NOT_SCALABLE
    }


def has_preboot(formation: Iterable[ProcessType]) -> bool:
    """Whether new web dynos come up before old ones go: not with sizes of which a process type may run one only.

    Source: https://devcenter.heroku.com/articles/preboot
    """
    return not any(entry.type == "web" and entry.size.lower() in _ONE_AT_A_TIME for entry in formation)


def first_quantity(process_type: str) -> int:
    """How many dynos a process type gets when a deploy first names it: one for `web`, none for others."""
    return 1 if process_type == "web" else 0


def next_quantity(now: int, wanted: str | int) -> int:
    """The quantity after `2`, `+1` or `-1`.

    Raises: Invalid when it is no such text or leads outside 0 to limits.DYNOS_PER_APP_MAX.
    """
    found = _QUANTITY.match(str(wanted).strip())
    if found is None:
        raise Invalid(f"`{str(wanted)[:40]}` is no quantity; use a number such as 2, +1 or -1.")
    amount = int(found[2])
    after = {"": amount, "+": now + amount, "-": max(0, now - amount)}[found[1]]
    if after > limits.DYNOS_PER_APP_MAX:
        raise Invalid(f"Cannot scale to {after} dynos; an app may have {limits.DYNOS_PER_APP_MAX}.")
    return after


def backoff_s(crashes: int) -> float:
    """Seconds to wait after the `crashes`-th crash in a row: none after the first, then 10, 20, 40 … 300.

    Source: Dev Center, dynos#dyno-crash-restart-policy; the figures are ours (decisions/).
    """
    if crashes <= 1:
        return 0.0
    return float(min(limits.CRASH_BACKOFF_FIRST_S * 2.0 ** min(crashes - 2, 20), limits.CRASH_BACKOFF_MAX_S))


def lives_for_s(dyno: Dyno) -> float:
    """How long a dyno runs before it is cycled: 24 h and up to 216 min more, the same for one dyno at every look."""
    return limits.CYCLE_S + (dyno.id.int % 10_000) / 10_000 * limits.CYCLE_JITTER_S


def _since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment else 0.0


def observed_step(dyno: Dyno, seen: ObservedDyno | None, now: datetime) -> Step | None:
    """What a dyno did by itself since the last look.

    A record without an observation is one whose start was interrupted (starting: it is started again by the caller) or one that the
    machine lost, as in a reboot.
    """
    if dyno.ended_at is not None:
        return None
    if seen is None:
        was_ordered = _since(dyno.created_at, now) >= limits.START_TIMEOUT_S and dyno.kind is not DynoKind.FORMATION
        is_coming = dyno.state is DynoState.STARTING and dyno.stopped_at is None and not was_ordered
        return None if is_coming else Become(dyno, DynoState.DOWN, None, "lost")
    if not seen.is_running:
        status = seen.exit_status if seen.exit_status is not None else 137
        if dyno.kind is not DynoKind.FORMATION:
            return Become(dyno, DynoState.COMPLETE, status, seen=seen)
        if dyno.stopped_at is not None:
            return Become(dyno, DynoState.IDLE if dyno.retiring == "idle" else DynoState.DOWN, status, seen=seen)
        killed: Literal["", "R10", "R15"] = "R15" if seen.is_out_of_memory else "R10" if dyno.killed_at is not None else ""
        return Become(dyno, DynoState.CRASHED, status, killed, seen)
    if dyno.state is DynoState.STARTING:
        if dyno.type != "web" or dyno.kind is not DynoKind.FORMATION or seen.is_listening:
            return Become(dyno, DynoState.UP, seen=seen)
        if dyno.stopped_at is None and dyno.killed_at is None and _since(dyno.changed_at, now) >= limits.BOOT_TIMEOUT_S:
            return Kill(dyno, "R10", listens_locally=seen.listens_locally, other_port=seen.other_port)
    return None


def _retiring(dyno: Dyno, wanted: Wanted, now: datetime) -> Retire | None:
    """Whether a live dyno is to go, and why."""
    if dyno.retiring is not None:
        return None
    if dyno.number > wanted.quantities.get(dyno.type, 0):
        return Retire(dyno, "scale")
    if wanted.sleep is not None:
        return Retire(dyno, "idle")
    if wanted.release is not None and dyno.release_id != wanted.release.id:
        return Retire(dyno, "release")
    if dyno.state is DynoState.UP and _since(dyno.created_at, now) >= lives_for_s(dyno):
        return Retire(dyno, "cycle")
    return None


def _fresh(dynos: Sequence[Dyno], process_type: str) -> list[Dyno]:
    return [dyno for dyno in dynos if dyno.type == process_type and dyno.retiring is None and dyno.stopped_at is None]


def is_rolled_out(wanted: Wanted, dynos: Sequence[Dyno], process_type: str) -> bool:
    """Whether every wanted dyno of a type is up, with nothing about it to be replaced."""
    count = wanted.quantities.get(process_type, 0)
    up = {dyno.number for dyno in _fresh(dynos, process_type) if dyno.state is DynoState.UP}
    return all(number in up for number in range(1, count + 1))


def _starts(wanted: Wanted, dynos: Sequence[Dyno], now: datetime) -> list[Step]:
    """Dynos to start: those nobody stands in for. Other types wait until new web dynos are up, so that a bad release changes nothing."""
    steps: list[Step] = []
    if wanted.sleep is not None:
        return steps
    serving_old = any(dyno.type == "web" and dyno.retiring == "release" and dyno.is_live for dyno in dynos)
    web_first = wanted.has_preboot and serving_old and not is_rolled_out(wanted, dynos, "web")
    for process_type, count in wanted.quantities.items():
        if process_type != "web" and web_first:
            continue
        held = {dyno.number: dyno for dyno in _fresh(dynos, process_type)}
        for number in range(1, count + 1):
            dyno = held.get(number)
            if dyno is None:
                steps.append(Start(process_type, number))
            elif dyno.state is DynoState.CRASHED and _since(dyno.ended_at, now) >= backoff_s(dyno.crashes):
                steps += [Forget(dyno), Start(process_type, number, dyno.crashes, dyno.exit_code)]
    return steps


def _stops(wanted: Wanted, dynos: Sequence[Dyno], active: Mapping[UUID, int], now: datetime) -> list[Step]:
    """What happens to retiring dynos: drained and ended once replaced; ended at once when nothing replaces them."""
    steps: list[Step] = []
    for dyno in dynos:
        if dyno.kind is not DynoKind.FORMATION or dyno.ended_at is not None:
            continue
        if dyno.stopped_at is not None:
            if dyno.killed_at is None and _since(dyno.stopped_at, now) >= limits.EXIT_GRACE_S:
                steps.append(Kill(dyno, "R12"))
            continue
        if dyno.retiring is None:
            continue
        is_gone_for_good = dyno.retiring in ("scale", "stop", "idle") or dyno.number > wanted.quantities.get(dyno.type, 0)
        if wanted.has_preboot and not is_gone_for_good and not is_rolled_out(wanted, dynos, dyno.type) and dyno.state is DynoState.UP:
            continue
        if dyno.type != "web" or dyno.state is not DynoState.UP:
            steps.append(Terminate(dyno))
        elif dyno.drained_at is None:
            steps.append(Drain(dyno))
        elif active.get(dyno.id, 0) == 0 or _since(dyno.drained_at, now) >= limits.DRAIN_TIMEOUT_S:
            steps.append(Terminate(dyno))
    return steps


def _failed_release(wanted: Wanted, dynos: Sequence[Dyno]) -> FailRelease | None:
    """The all-or-nothing rule of deploys: an old release that serves is not given up for one that never came up."""
    release = wanted.release
    if release is None or not release.brings_code or not wanted.has_preboot:
        return None
    if not any(dyno.type == "web" and dyno.retiring == "release" and dyno.state is DynoState.UP for dyno in dynos):
        return None
    for dyno in _fresh(dynos, "web"):
        if dyno.release_id == release.id and dyno.state is DynoState.CRASHED:
            how = "did not bind to $PORT in time" if dyno.killed_at else f"exited with status {dyno.exit_code} during boot"
            if dyno.exit_code is None:
                how = "could not be started"
            return FailRelease(release, f"{dyno.name} {how}")
    return None


def steps(
    wanted: Wanted,
    dynos: Sequence[Dyno],
    observed: Mapping[UUID, ObservedDyno],
    now: datetime,
    active: Mapping[UUID, int],
) -> list[Step]:
    """What to do next so that the engine comes to run what the database says. Pure; asked again after every step carried out.

    Takes: `dynos`, all records of the app; `observed`, what the engine says by id; `active`, requests in flight of draining dynos.
    Gives: steps in order; none when all is as it should be (or time has to pass, see `next_look_s`).
    """
    happened = [step for dyno in dynos if (step := observed_step(dyno, observed.get(dyno.id), now)) is not None]
    if happened:
        return list(happened)
    formation = [dyno for dyno in dynos if dyno.kind is DynoKind.FORMATION]
    over = [Forget(dyno) for dyno in formation if dyno.ended_at is not None and _is_over(dyno, wanted)]
    retiring = [step for dyno in formation if dyno.ended_at is None and dyno.stopped_at is None and (step := _retiring(dyno, wanted, now))]
    if over or retiring:
        return [*over, *retiring]
    failed = _failed_release(wanted, formation)
    if failed is not None:
        return [failed]
    return [*_starts(wanted, formation, now), *_stops(wanted, formation, active, now), *_old_one_offs(dynos, now)]


def _is_over(dyno: Dyno, wanted: Wanted) -> bool:
    """An ended record is kept only as what `ps` shows: a crashed dyno until its back-off has passed, an idle one while its app sleeps."""
    if dyno.state is DynoState.IDLE and wanted.sleep is not None:
        return dyno.number > wanted.quantities.get(dyno.type, 0)
    if dyno.state is not DynoState.CRASHED or dyno.retiring is not None:
        return True
    is_wanted = dyno.number <= wanted.quantities.get(dyno.type, 0)
    return not is_wanted or wanted.release is None or dyno.release_id != wanted.release.id


def _old_one_offs(dynos: Sequence[Dyno], now: datetime) -> list[Step]:
    steps: list[Step] = []
    for dyno in dynos:
        if dyno.kind is DynoKind.FORMATION:
            continue
        if dyno.ended_at is not None:
            if dyno.expires_at is not None and now >= dyno.expires_at:
                steps.append(Forget(dyno))
        elif dyno.stopped_at is not None:
            if dyno.killed_at is None and _since(dyno.stopped_at, now) >= limits.EXIT_GRACE_S:
                steps.append(Kill(dyno, "R12"))
        elif dyno.retiring == "stop" or (dyno.expires_at is not None and now >= dyno.expires_at):
            steps.append(Terminate(dyno))
    return steps


def next_look_s(dynos: Sequence[Dyno], now: datetime) -> float:
    """Seconds until time alone may call for a step; at most a minute."""
    due: list[datetime] = []
    for dyno in dynos:
        if dyno.ended_at is not None:
            if dyno.state is DynoState.CRASHED:
                due.append(dyno.ended_at + timedelta(seconds=backoff_s(dyno.crashes)))
        elif dyno.stopped_at is not None:
            due.append(dyno.stopped_at + timedelta(seconds=limits.EXIT_GRACE_S))
        elif dyno.drained_at is not None:
            due.append(now + timedelta(seconds=0.1))
        elif dyno.state is DynoState.STARTING:
            due.append(dyno.changed_at + timedelta(seconds=limits.BOOT_TIMEOUT_S))
        if dyno.expires_at is not None:
            due.append(dyno.expires_at)
    if not due:
        return 60.0
    return min(60.0, max(0.05, (min(due) - now).total_seconds()))


class Supervision(Protocol):
    """The loop that carries steps out, as actions see it."""

    def wake(self, app_id: UUID) -> None:
        """Something of the app changed in the database: look now."""

    async def rolled_out(self, release: Release, timeout_s: float) -> str | None:
        """Waits until the release's web dynos serve (or it has none); gives None, or why they do not.

        Gives at the latest after `timeout_s`. A newer release taking over counts as rolled out.
        """

    async def settled(self, release: Release, timeout_s: float) -> Release:
        """Waits until the release is no longer pending and gives it. Raises: Unavailable after `timeout_s`."""

    def started_at(self, dyno_id: UUID) -> datetime | None:
        """When the process of a dyno that runs was started, as the engine says."""

    def undertake(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` to its end beside the caller, who may go; it is cancelled when the platform stops."""

    async def cancellable(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Carries `work` out for the caller, under a name that `cancel` knows; cancelling the caller cancels it too.

        Raises: what `work` raises; Conflict when it was cancelled by its name.
        """

    def cancel(self, name: str) -> bool:
        """Cancels what is under way under a name; whether something was."""

    async def ended(self, dyno_id: UUID, timeout_s: float) -> Dyno:
        """Waits for a dyno's end. Raises: Unavailable after `timeout_s`, NotFound when there is no such dyno."""
