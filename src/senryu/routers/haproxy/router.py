"""The router made of HAProxy. It keeps nothing of its own: what is routed is asked of HAProxy each time.

Source: https://docs.haproxy.org/2.6/management.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import ParamSpec, Self, TypeVar
from uuid import UUID

import structlog

from senryu.core.errors import PlatformError, Unavailable
from senryu.core.object_store import check_bucket
from senryu.core.route import RequestLine, Route, Router, check_challenge
from senryu.routers.bundle import Bundle
from senryu.routers.haproxy import certificate_files, certificates, changes, files
from senryu.routers.haproxy.config import STAMP_VARIABLE
from senryu.routers.haproxy.live import busy_slots, held_slots, live_from, process_id, questions, quiet_slots, requests_on, rows, slot_with
from senryu.routers.haproxy.requests import request_lines
from senryu.routers.haproxy.runtime import ask, reload
from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.haproxy.slots import Live, app_from, map_text, routes_of
from senryu.routers.haproxy.tls import OwnCertificate, names_for
from senryu.routers.haproxy.waiting import Waiting
from senryu.routers.whole import write_whole

log = structlog.get_logger()
P = ParamSpec("P")
T = TypeVar("T")

_SAVE_AFTER_S = 0.2
_TIDY_EVERY_S = 5.0
_RELOAD_TIMEOUT_S = 20.0
_LOOKS_BEFORE_ASKING_AGAIN = 25
_REQUESTS_LOGGED_MAX_CHARS = 200


class HAProxyRouter(Router):
    """Drives a running HAProxy that was started from `files.write_start_files`.

    An async context manager; inside it what is routed is also written to the files HAProxy starts from (a moment after each change
    and on leaving), dynos that left are deleted, and the TLS certificate is renewed.
    """

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()  # one change at a time: each is worked out from what is routed before it
        self._writing = asyncio.Lock()  # taken before the turn
        self._changed = asyncio.Event()
        self._unsaved: dict[UUID, Route | None] = {}  # changes that HAProxy would forget if it died now; None: removed
        self._tasks: asyncio.TaskGroup | None = None
        self._chore: asyncio.Task[None] | None = None
        self._waiting = Waiting(settings.waiting_socket)
        self._busy_at: dict[UUID, float] = {}  # when an app was last seen with a request under way
        self._since = monotonic()
        self._own_certificate = OwnCertificate(settings.tls)

    async def __aenter__(self) -> Self:
        await self._waiting.__aenter__()
        self._tasks = await asyncio.TaskGroup().__aenter__()
        self._changed.set()
        self._chore = self._tasks.create_task(self._keep_files(), name="router:files")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._tasks is not None and self._chore is not None:
            self._chore.cancel()
            await self._tasks.__aexit__(kind, error, trace)
        await self._waiting.__aexit__()
        if self._unsaved:
            with contextlib.suppress(Unavailable):
                await self._save()

    async def apply(self, route: Route) -> None:
        while True:
            try:
                return await self._change(route.app_id, route)
            except changes.NoSlotLeft:
                await self._grow()

    async def remove(self, app_id: UUID) -> None:
        await self._change(app_id, None)

    async def routes(self) -> list[Route]:
        return routes_of(await self._live())

    async def active_requests(self, dyno_id: UUID) -> int:
        [answer] = await ask(self._settings.socket, ["show servers state"])
        slot = slot_with(answer, dyno_id)
        if slot is None:
            return 0
        [answer] = await ask(self._settings.socket, [f"show stat {slot} 4 -1"])
        return requests_on(answer, dyno_id)

    def waiting(self) -> AsyncIterator[UUID]:
        return self._waiting.apps()

    async def quiet_s(self) -> Mapping[UUID, float]:
        """A request is known by its beginning, and while it is seen: a long one that just ended was seen at the last look."""
        apps, statistics, info = await ask(self._settings.socket, [f"show map {self._settings.apps}", "show stat -1 2 -1", "show info"])
        quiet, now = quiet_slots(statistics, info), monotonic()
        found = {app_from(value).app_id: quiet.get(slot, 0.0) for slot, value in rows(apps).items()}
        self._busy_at = {app_id: now if not found[app_id] else self._busy_at.get(app_id, self._since) for app_id in found}
        return {app_id: min(seconds, now - self._busy_at[app_id]) for app_id, seconds in found.items()}

    def requests(self, after: int) -> AsyncIterator[list[RequestLine]]:
        return request_lines(self._settings.log, self._settings.run_file, after)

    async def put_certificate(self, host: str, pem: str) -> None:
        wanted = await asyncio.to_thread(_checked, pem, host)
        async with self._turn:
            await certificates.load(self._settings, host, wanted)
            await _to_the_end(certificate_files.keep, self._settings, host, wanted)

    async def remove_certificate(self, host: str) -> None:
        async with self._turn:
            await certificates.unload(self._settings, host)
            await _to_the_end(certificate_files.drop, self._settings, host)

    async def certificates(self) -> Mapping[str, str]:
        async with self._turn:
            return await certificates.served(self._settings, await asyncio.to_thread(certificate_files.read_kept, self._settings))

    async def set_challenges(self, paths: Collection[str]) -> None:
        for path in paths:
            check_challenge(path)
        async with self._turn:
            [answer] = await ask(self._settings.socket, [f"show map {self._settings.challenges}"])
            await self._carry_out(changes.challenge_commands(rows(answer), paths, self._settings))
            text = map_text((path, "yes") for path in paths)
            await _to_the_end(write_whole, self._settings.challenges, text)

    async def set_rooms(self, rooms: Mapping[str, int]) -> None:
        for bucket in rooms:
            check_bucket(bucket)
        async with self._turn:
            [answer] = await ask(self._settings.socket, [f"show map {self._settings.rooms}"])
            if commands := changes.room_commands(rows(answer), rooms, self._settings):
                await self._carry_out(commands)
                text = map_text((bucket, str(room)) for bucket, room in rooms.items())
                await _to_the_end(write_whole, self._settings.rooms, text)

    async def _live(self) -> Live:
        return live_from(await ask(self._settings.socket, questions(self._settings)))

    async def _change(self, app_id: UUID, route: Route | None) -> None:
        async with self._turn:
            commands = await self._commands(await self._live(), app_id, route)
            if commands:
                self._unsaved[app_id] = route
                self._changed.set()
                await self._carry_out(commands)

    async def _commands(self, live: Live, app_id: UUID, route: Route | None) -> list[changes.Command]:
        """What is to be said so that an app is routed so, or not at all."""
        if route is None:
            return changes.remove_commands(live, app_id, self._settings)
        if live.slot_of(app_id) is None:
            live = replace(live, busy=await self._busy(live))
        return changes.apply_commands(live, route, self._settings)

    async def _busy(self, live: Live) -> frozenset[str]:
        """Empty slots that still have visitors, up to the first that has none: asking about all takes longer the more apps there are."""
        busy: frozenset[str] = frozenset()
        for slot in changes.empty_slots(live):
            [answer] = await ask(self._settings.socket, [f"show stat {slot} 2 -1"])
            if not (here := busy_slots(answer)):
                break
            busy |= here
        return busy

    async def _carry_out(self, commands: list[changes.Command]) -> None:
        answers = await ask(self._settings.socket, [command.text for command in commands])
        for command, answer in zip(commands, answers, strict=True):
            if answer not in command.done:
                await log.aerror("router_refused", command=command.text[:_REQUESTS_LOGGED_MAX_CHARS], answer=answer)
                raise Unavailable("The router refused a change; it will be tried again.")

    async def _save(self) -> None:
        """Writes what is routed; before, says again what HAProxy has forgotten because it died before it was written."""
        async with self._writing:
            async with self._turn:
                process = await self._process_id()
                live = await self._live()
                for app_id, route in self._unsaved.items():
                    if commands := await self._commands(live, app_id, route):
                        await self._carry_out(commands)
                        live = await self._live()
                saved = dict(self._unsaved)
            # Outside the turn: the next change does not wait for the disk.
            await _to_the_end(files.save, self._settings, live, len(live.slots))
            if await self._process_id() != process:
                return  # another one, that may have read the files before they were written
            for app_id, route in saved.items():
                if self._unsaved.get(app_id) is route:
                    self._unsaved.pop(app_id, None)

    async def _keep_files(self) -> None:
        """Saves soon after a change, deletes dynos whose last request has ended, and keeps the certificate good."""
        is_current = False
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SAVE_AFTER_S if self._unsaved else _TIDY_EVERY_S):  # not wait_for: it may lose a cancellation
                    await self._changed.wait()
            await asyncio.sleep(_SAVE_AFTER_S)
            self._changed.clear()
            try:
                if not is_current:
                    await self._bring_up_to_date()
                    is_current = True
                if self._unsaved:
                    await self._save()
                async with self._turn:
                    live = await self._live()
                    await self._carry_out(changes.tidy_commands(live))
                await self._renew_certificate(live)
            except (PlatformError, OSError, changes.NoSlotLeft) as error:
                await log.awarning("router_not_saved", error=str(error))

    async def _renew_certificate(self, live: Live) -> None:
        """Gives the running HAProxy a new certificate of the platform's own when names were added or it runs out."""
        settings = self._settings
        names = names_for(settings.domain, live.hosts)
        if await _to_the_end(self._own_certificate.ensure, names):
            path = settings.certificates / "default.pem"
            await certificates.exchange(settings, path, await asyncio.to_thread(path.read_text))

    async def _bring_up_to_date(self) -> None:
        """Has a HAProxy that was started by another version of the platform, or with other settings, start anew from files of this one."""
        wanted = files.stamp(self._settings)
        if await self._stamp() == wanted:
            return
        async with self._good_moment() as live:
            await _to_the_end(files.save, self._settings, live, max(self._settings.slots, len(live.slots)))
            await _to_the_end(files.write_start_files, self._settings)
            await self._reload(lambda: self._is(wanted))

    async def _grow(self) -> None:
        """Doubles the slots, unless another change that found none has done so meanwhile."""
        async with self._good_moment() as live:
            if set(changes.empty_slots(live)) - await self._busy(live):
                return
            wanted = 2 * len(live.slots)
            await _to_the_end(files.save, self._settings, live, wanted)
            await self._reload(lambda: self._has_slots(wanted))

    @asynccontextmanager
    async def _good_moment(self) -> AsyncIterator[Live]:
        """To replace HAProxy: nobody is held up by the running one, which would hear of no change any more. Gives what is routed.

        Inside it nothing changes. Comes after `boot_timeout_s` at the latest.
        """
        until = monotonic() + self._settings.boot_timeout_s
        while True:
            async with self._writing, self._turn:
                live = await self._live()
                if monotonic() >= until or not await self._holds_anybody(live):
                    yield live
                    return
            await asyncio.sleep(_SAVE_AFTER_S)

    async def _holds_anybody(self, live: Live) -> bool:
        if not (without := live.without_dynos()):
            return False
        [answer] = await ask(self._settings.socket, ["show stat -1 6 -1"])
        return not without.isdisjoint(held_slots(answer))

    async def _process_id(self) -> str:
        [answer] = await ask(self._settings.socket, ["show info"])
        return process_id(answer)

    async def _reload(self, is_done: Callable[[], Awaitable[bool]]) -> None:
        """A seamless one: the new process takes the ports over, old connections end in the old process in their own time."""
        for look in range(round(_RELOAD_TIMEOUT_S / _SAVE_AFTER_S)):
            if look % _LOOKS_BEFORE_ASKING_AGAIN == 0:  # the one who was asked may have been replaced just then
                await reload(self._settings.reload_pipe, self._settings.master_socket)
            await asyncio.sleep(_SAVE_AFTER_S)
            with contextlib.suppress(Unavailable):
                if await is_done():
                    return
        raise Unavailable("The router did not start anew from its files; look at its error output.")

    async def _has_slots(self, count: int) -> bool:
        return len((await self._live()).slots) >= count

    async def _is(self, stamp: str) -> bool:
        return await self._stamp() == stamp

    async def _stamp(self) -> str:
        """Which configuration the running HAProxy was started from."""
        [answer] = await ask(self._settings.socket, [f"show env {STAMP_VARIABLE}"])
        return answer.strip().removeprefix(f"{STAMP_VARIABLE}=")


def _checked(pem: str, host: str) -> Bundle:
    from senryu.routers.pem import bundle  # with 10 MiB, for those who bring certificates (decisions/0110)

    return bundle(pem, host)


async def _to_the_end(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs what writes files in a thread and waits for it even when cancelled: two must never write the same file."""
    writing = asyncio.ensure_future(asyncio.to_thread(write, *args, **kwargs))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


_: type[Router] = HAProxyRouter
