"""The one loop that makes what runs equal to what the database says. Level-triggered: it remembers nothing that it could not ask again.

Deploys, scaling, restarts, crashes, cycling and recovery after kill -9 or a reboot are all this loop; what to do is decided by
`core.formation.steps`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import structlog

from ..core import limits
from ..core.app import App
from ..core.build import Streams
from ..core.clock import Clock, SteadyClock
from ..core.dyno import Dyno, DynoKind, DynoState, Engine, ObservedDyno, OutputReader, further_on
from ..core.errors import NotFound, PlatformError, Unavailable
from ..core.formation import FailRelease, Forget, ProcessType, Wanted, has_preboot, is_rolled_out, next_look_s, quantities, steps
from ..core.log_line import LogWriter
from ..core.release import Release, ReleaseStatus
from ..core.route import Route, Router
from ..core.scheduled_job import is_started_from_record
from ..store.apps import find_app, list_apps
from ..store.database import Database
from ..store.domains import list_domains
from ..store.dynos import all_dyno_ids, ended_dyno_ids, find_dyno, list_dynos, start_wish
from ..store.formation import list_formation
from ..store.releases import current_release, find_release, list_pending_releases
from ..store.sleeping import sleep_of
from ..store.vault import Vault
from .carry_out import Followers, Hands, carry_out, start
from .move_moments import move_moments
from .release_phase import run_release_phase
from .route_app import route_of
from .tell import tell
from .undertakings import Undertakings
from .warn_of_memory import warn_of_memory

_ROUNDS_MAX = 100
_log = structlog.get_logger("supervise")
T = TypeVar("T")


class Supervisor:
    """Runs the loop for all apps. Use as `async with`; implements core.formation.Supervision."""

    def __init__(
        self,
        *,
        db: Database,
        vault: Vault,
        engine: Engine,
        output: OutputReader,
        router: Router,
        log_writer: LogWriter,
        streams: Streams,
        followers: Followers,
        clock: Clock,
        platform_domain: str,
    ) -> None:
        self._db, self._vault, self._engine, self._output, self._router = db, vault, engine, output, router
        self._log_writer, self._streams, self._followers, self._clock = log_writer, streams, followers, clock
        self._platform_domain = platform_domain
        self._hands = Hands(db, vault, engine, log_writer, clock, followers.read_out)
        self._seen: dict[UUID, ObservedDyno] = {}
        self._news: dict[UUID, ObservedDyno] = {}
        self._routed: dict[UUID, Route] = {}
        self._bells: dict[UUID, asyncio.Event] = {}
        self._phases: dict[UUID, UUID] = {}
        self._one_offs: set[UUID] = set()
        self._trouble: dict[UUID, str] = {}
        self._changed = asyncio.Condition()
        self._changes = 0
        self._undertakings = Undertakings()
        self._is_ready = asyncio.Event()

    async def __aenter__(self) -> Supervisor:
        self.undertake("supervise:changes", self._watch())
        self.undertake("supervise:sweep", self._sweep())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._undertakings.end()

    def undertake(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """See Supervision."""
        self._undertakings.undertake(name, work)

    async def cancellable(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """See Supervision."""
        return await self._undertakings.cancellable(name, work)

    def cancel(self, name: str) -> bool:
        """See Supervision."""
        return self._undertakings.cancel(name)

    def wake(self, app_id: UUID) -> None:
        """See Supervision."""
        bell = self._bells.get(app_id)
        if bell is None:
            bell = self._bells[app_id] = asyncio.Event()
            self.undertake(f"supervise:{app_id}", self._look_after(app_id, bell))
        bell.set()

    async def _watch(self) -> None:
        while True:
            try:
                async for seen in self._engine.changes():
                    self._news[seen.id] = seen
                    self._see(seen)
                    self.wake(seen.app_id)
            except Unavailable:
                pass
            except Exception:
                _log.exception("changes cannot be watched")
            await self._clock.sleep(0.5)

    def _see(self, seen: ObservedDyno) -> None:
        self._seen[seen.id] = seen
        if seen.kind in (DynoKind.FORMATION, DynoKind.RELEASE):
            self._followers.follow(seen.app_id, seen.id, seen.name)
        elif seen.kind is DynoKind.ONE_OFF and seen.id not in self._one_offs:
            self._one_offs.add(seen.id)
            self.undertake(f"follow:{seen.name}", self._follow_one_off(seen))

    async def _follow_one_off(self, seen: ObservedDyno) -> None:
        """Detached one-offs write to the log; what an attached one writes is its terminal's alone."""
        async with self._db.reading() as tx:
            _, wish = await start_wish(tx, seen.id, vault=self._vault)
        if not wish.attach:
            self._followers.follow(seen.app_id, seen.id, seen.name)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._take_stock()
                self._is_ready.set()
                await self._clock.sleep(limits.MEMORY_CHECK_S)
            except PlatformError as problem:
                _log.warning("sweep failed", reason=problem.message)
                await self._clock.sleep(0.5)
            except Exception:
                _log.exception("sweep failed")
                await self._clock.sleep(5.0)

    async def _take_stock(self) -> None:
        """Asks engine and router what is, forgets what nobody wants, and has every app looked at."""
        self._news = {}
        observed = [further_on(seen, self._news.get(seen.id)) for seen in await self._engine.dynos()]
        self._seen = {seen.id: seen for seen in observed}
        routes = await self._router.routes()
        async with self._db.reading() as tx:
            apps = await list_apps(tx)
            recorded, ended = await all_dyno_ids(tx), await ended_dyno_ids(tx)
        self._one_offs &= self._seen.keys()
        self._routed = {route.app_id: route for route in routes}
        known = {app.id for app in apps}
        for seen in observed:
            if seen.kind is not DynoKind.BUILD and seen.id not in recorded:
                await self._engine.remove(seen.id)
                self._seen.pop(seen.id, None)
            else:
                self._see(self._seen.get(seen.id, seen))
        for route in routes:
            if route.app_id not in known:
                await self._router.remove(route.app_id)
                self._routed.pop(route.app_id, None)
        for app in apps:
            self.wake(app.id)
        seen_now = list(self._seen.values())
        await warn_of_memory(seen_now, db=self._db, log_writer=self._log_writer, clock=self._clock)
        await self._remove_read_out(seen_now, ended)

    async def _remove_read_out(self, observed: list[ObservedDyno], ended: set[UUID]) -> None:
        """One-offs that ended while the log could not take their last words are kept until it has; what is idle may be so for long."""
        for seen in observed:
            is_over = seen.kind in (DynoKind.ONE_OFF, DynoKind.FORMATION) and not seen.is_running and seen.id in ended
            if is_over and await self._followers.read_out(seen.id, 0.1):
                await self._engine.remove(seen.id)

    async def _start_phase(self, app_id: UUID) -> None:
        """Release phases of an app run one after the other, in the order of their releases."""
        async with self._db.reading() as tx:
            pending = await list_pending_releases(tx, app_id, vault=self._vault)
        if pending and app_id not in self._phases:
            self._phases[app_id] = pending[0].id
            self.undertake(f"release-phase:{pending[0].id}", self._phase(pending[0]))

    async def _phase(self, release: Release) -> None:
        try:
            async with self._db.reading() as tx:
                app = await find_app(tx, release.app_id)
            if app is not None:
                await run_release_phase(
                    app,
                    release,
                    db=self._db,
                    vault=self._vault,
                    engine=self._engine,
                    output=self._output,
                    streams=self._streams,
                    supervision=self,
                    log_writer=self._log_writer,
                    clock=self._clock,
                )
        finally:
            self._phases.pop(release.app_id, None)
            await self._notify()

    async def _look_after(self, app_id: UUID, bell: asyncio.Event) -> None:
        """One app for as long as it exists."""
        await self._is_ready.wait()
        wait_s = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):  # not wait_for: it loses a cancellation that meets the bell
                    await bell.wait()
            bell.clear()
            try:
                wait_s = await self._converge(app_id)
                self._trouble.pop(app_id, None)
            except NotFound:
                break
            except PlatformError as problem:
                await self._tell_trouble(app_id, problem.message)
                wait_s = 1.0
            except Exception:
                _log.exception("could not converge", app=str(app_id))
                wait_s = 5.0
            await self._notify()
        self._bells.pop(app_id, None)
        self._trouble.pop(app_id, None)

    async def _tell_trouble(self, app_id: UUID, message: str) -> None:
        """Why nothing goes on with an app: to the operator each time, to the app's log once."""
        _log.warning("could not converge", app=str(app_id), reason=message)
        if self._trouble.get(app_id) != message:
            self._trouble[app_id] = message
            await tell(app_id, "supervise", message, log_writer=self._log_writer, clock=self._clock)

    async def _notify(self) -> None:
        async with self._changed:
            self._changes += 1
            self._changed.notify_all()

    async def _load(self, app_id: UUID) -> tuple[App, Wanted, dict[str, ProcessType], list[Dyno], list[str]]:
        async with self._db.reading() as tx:
            app = await find_app(tx, app_id)
            if app is None:
                raise NotFound("Couldn't find that app.")
            release = await current_release(tx, app_id, vault=self._vault)
            formation = await list_formation(tx, app_id)
            dynos = await list_dynos(tx, app_id)
            domains = [domain.hostname for domain in await list_domains(tx, app_id)]
            sleep = await sleep_of(tx, app_id)
        wanted = Wanted(release, quantities(release, formation), has_preboot(formation) and sleep is None, sleep)
        return app, wanted, {entry.type: entry for entry in formation}, dynos, domains

    async def _converge(self, app_id: UUID) -> float:
        """Steps until there are none; gives the seconds until the next look."""
        steady = SteadyClock(self._clock)  # set meanwhile, the clock would make one look contradict itself
        hands = replace(self._hands, clock=steady)
        for _ in range(_ROUNDS_MAX):
            app, wanted, sizes, dynos, domains = await self._load(app_id)
            dynos = await move_moments(dynos, steady, db=self._db)
            await self._start_phase(app_id)
            await self._start_interrupted(app, wanted, dynos, hands)
            await self._route(app, wanted, dynos, domains)
            active = await self._active(dynos)
            todo = steps(wanted, dynos, self._seen, steady.now(), active)
            if not todo:
                return next_look_s(dynos, steady.now())
            results = await asyncio.gather(*(carry_out(step, app, wanted, sizes, hands=hands) for step in todo), return_exceptions=True)
            for step, result in zip(todo, results, strict=True):
                if isinstance(step, Forget):
                    self._seen.pop(step.dyno.id, None)
                if isinstance(step, FailRelease):
                    await self._notify()
                if isinstance(result, BaseException):
                    raise result
        _log.error("no rest after many rounds", app=str(app_id))
        return 1.0

    async def _start_interrupted(self, app: App, wanted: Wanted, dynos: list[Dyno], hands: Hands) -> None:
        """Dynos whose record was written but whose start a crash cut off; and scheduled ones, whose record is all that is written."""
        for dyno in dynos:
            release = wanted.release
            if not is_started_from_record(dyno, hands.clock.now()) or dyno.id in self._seen:
                continue
            known = {seen.id: seen for seen in await self._engine.dynos()}
            if dyno.id not in known and (release is None or release.id != dyno.release_id):
                async with self._db.reading() as tx:
                    release = await find_release(tx, app.id, dyno.release_id, vault=self._vault)
            if dyno.id not in known and release is not None:
                await start(app, release, dyno, is_new=False, hands=hands)
                known = {seen.id: seen for seen in await self._engine.dynos()}
            if dyno.id in known:  # at once: a one-off recorded long ago counts as lost until it is seen
                self._see(further_on(known[dyno.id], self._seen.get(dyno.id)))

    async def _route(self, app: App, wanted: Wanted, dynos: list[Dyno], domains: list[str]) -> None:
        addresses = {id: seen.address for id, seen in self._seen.items() if seen.address and seen.is_running}
        route = route_of(app, wanted, dynos, addresses, domains, self._platform_domain)
        if self._routed.get(app.id) != route:
            await self._router.apply(route)
            self._routed[app.id] = route

    async def _active(self, dynos: list[Dyno]) -> dict[UUID, int]:
        draining = [dyno for dyno in dynos if dyno.drained_at is not None and dyno.stopped_at is None and dyno.ended_at is None]
        return {dyno.id: await self._router.active_requests(dyno.id) for dyno in draining}

    async def rolled_out(self, release: Release, timeout_s: float) -> str | None:
        """See Supervision."""
        deadline = self._clock.monotonic() + timeout_s
        while True:
            since = self._changes
            _, wanted, _, dynos, _ = await self._load(release.app_id)
            async with self._db.reading() as tx:
                now = await find_release(tx, release.app_id, release.id, vault=self._vault)
            if now is None or now.status is ReleaseStatus.FAILED:
                return (now.failure if now else None) or "it was not released"
            is_current = wanted.release is not None and wanted.release.id == release.id
            if not is_current and wanted.release is not None and wanted.release.version > release.version:
                return None
            if is_current and wanted.sleep is not None:  # it has no hours: it comes up with them
                return None
            web = [dyno for dyno in dynos if dyno.type == "web" and dyno.release_id == release.id]
            if is_current and is_rolled_out(wanted, web, "web") and self._is_routed(release.app_id, web):
                return None
            crashed = next((dyno for dyno in web if dyno.state is DynoState.CRASHED or dyno.crashes > 0), None)
            if is_current and crashed is not None:
                return f"{crashed.name} crashed during boot" + (
                    f" (exit status {crashed.exit_code})" if crashed.exit_code is not None else ""
                )
            if not await self._wait_for_change(since, deadline):
                trouble = self._trouble.get(release.app_id)
                return "its web dynos are not up yet" + (f": {trouble.rstrip('.')}" if trouble else "")

    def _is_routed(self, app_id: UUID, web: list[Dyno]) -> bool:
        route = self._routed.get(app_id)
        targets = {target.dyno_id for target in route.targets} if route else set()
        return route is not None and (all(dyno.id in targets for dyno in web if dyno.is_live) or not route.targets)

    def started_at(self, dyno_id: UUID) -> datetime | None:
        """See Supervision."""
        return seen.started_at if (seen := self._seen.get(dyno_id)) else None

    async def settled(self, release: Release, timeout_s: float) -> Release:
        """See Supervision."""
        deadline = self._clock.monotonic() + timeout_s
        self.wake(release.app_id)
        while True:
            since = self._changes
            async with self._db.reading() as tx:
                now = await find_release(tx, release.app_id, release.id, vault=self._vault)
            if now is None:
                raise NotFound("The app was destroyed meanwhile.")
            if now.status is not ReleaseStatus.PENDING:
                return now
            if not await self._wait_for_change(since, deadline):
                raise Unavailable(f"The release phase of v{release.version} is still running; see `senryu releases:output`.")

    async def ended(self, dyno_id: UUID, timeout_s: float) -> Dyno:
        """See Supervision."""
        deadline = self._clock.monotonic() + timeout_s
        while True:
            since = self._changes
            async with self._db.reading() as tx:
                dyno = await find_dyno(tx, dyno_id)
            if dyno is None:
                raise NotFound("Couldn't find that dyno; its app was destroyed.")
            if dyno.ended_at is not None:
                return dyno
            if not await self._wait_for_change(since, deadline):
                raise Unavailable(f"{dyno.name} is still running.")

    async def _wait_for_change(self, since: int, deadline: float) -> bool:
        """Waits until any app changed after the look that saw `since`, at most a second; whether there is time left."""
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0:
            return False
        async with self._changed:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, 1.0)):
                    await self._changed.wait_for(lambda: self._changes != since)
        return True
