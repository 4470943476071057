"""The router made of HAProxy. It keeps nothing of its own: what is routed is asked of HAProxy each time.

Source: https://docs.haproxy.org/2.6/management.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from types import TracebackType
from typing import ParamSpec, Self, TypeVar
from uuid import UUID

import structlog

from senryu.core.errors import PlatformError, Unavailable
from senryu.core.route import RequestLine, Route, Router, check_challenge
from senryu.routers.haproxy import certificate_files, certificates, changes, files
from senryu.routers.haproxy.live import ASK_BUSY, busy_slots, live_from, questions, requests_on, rows, slot_with
from senryu.routers.haproxy.requests import request_lines
from senryu.routers.haproxy.runtime import ask, reload
from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.haproxy.slots import Live, map_text, routes_of
from senryu.routers.haproxy.tls import ensure_certificates, names_for
from senryu.routers.haproxy.whole import write_whole
from senryu.routers.pem import bundle

log = structlog.get_logger()
P = ParamSpec("P")
T = TypeVar("T")

_SAVE_AFTER_S = 0.2
_TIDY_EVERY_S = 5.0
_RELOAD_TIMEOUT_S = 20.0
_REQUESTS_LOGGED_MAX_CHARS = 200


class HAProxyRouter(Router):
    """Drives a running HAProxy that was started from `files.write_start_files`.

    An async context manager; inside it what is routed is also written to the files HAProxy starts from (a moment after each change
    and on leaving), dynos that left are deleted, and the TLS certificate is renewed.
    """

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()  # one change at a time: each is worked out from what is routed before it
        self._changed = asyncio.Event()
        self._is_saved = True
        self._tasks: asyncio.TaskGroup | None = None
        self._chore: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await asyncio.TaskGroup().__aenter__()
        self._changed.set()
        self._chore = self._tasks.create_task(self._keep_files(), name="router:files")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._tasks is not None and self._chore is not None:
            self._chore.cancel()
            await self._tasks.__aexit__(kind, error, trace)
        if not self._is_saved:
            with contextlib.suppress(Unavailable):
                await self._save()

    async def apply(self, route: Route) -> None:
        try:
            await self._change(route.app_id, lambda live: changes.apply_commands(live, route, self._settings))
        except changes.NoSlotLeft:
            await self._grow()
            await self._change(route.app_id, lambda live: changes.apply_commands(live, route, self._settings))

    async def remove(self, app_id: UUID) -> None:
        await self._change(app_id, lambda live: changes.remove_commands(live, app_id, self._settings))

    async def routes(self) -> list[Route]:
        return routes_of(await self._live())

    async def active_requests(self, dyno_id: UUID) -> int:
        [answer] = await ask(self._settings.socket, ["show servers state"])
        slot = slot_with(answer, dyno_id)
        if slot is None:
            return 0
        [answer] = await ask(self._settings.socket, [f"show stat {slot} 4 -1"])
        return requests_on(answer, dyno_id)

    def requests(self, after: int) -> AsyncIterator[list[RequestLine]]:
        return request_lines(self._settings.log, self._settings.run_file, after)

    async def put_certificate(self, host: str, pem: str) -> None:
        wanted = bundle(pem, host)
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

    async def _live(self) -> Live:
        return live_from(await ask(self._settings.socket, questions(self._settings)))

    async def _change(self, app_id: UUID, commands_for: Callable[[Live], list[changes.Command]]) -> None:
        async with self._turn:
            live = await self._live()
            if live.slot_of(app_id) is None:
                [answer] = await ask(self._settings.socket, [ASK_BUSY])
                live = replace(live, busy=busy_slots(answer))
            commands = commands_for(live)
            if not commands:
                return
            self._is_saved = False
            self._changed.set()
            await self._carry_out(commands)

    async def _carry_out(self, commands: list[changes.Command]) -> None:
        answers = await ask(self._settings.socket, [command.text for command in commands])
        for command, answer in zip(commands, answers, strict=True):
            if answer not in command.done:
                await log.aerror("router_refused", command=command.text[:_REQUESTS_LOGGED_MAX_CHARS], answer=answer)
                raise Unavailable("The router refused a change; it will be tried again.")

    async def _save(self) -> None:
        async with self._turn:
            live = await self._live()
            self._is_saved = True
            try:
                await _to_the_end(files.save, self._settings, live, len(live.slots))
            except OSError:  # a full disk: again at the next look
                self._is_saved = False
                raise

    async def _keep_files(self) -> None:
        """Saves soon after a change, deletes dynos whose last request has ended, and keeps the certificate good."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TIDY_EVERY_S):  # not wait_for: it may lose a cancellation
                    await self._changed.wait()
            await asyncio.sleep(_SAVE_AFTER_S)
            self._changed.clear()
            try:
                if not self._is_saved:
                    await self._save()
                async with self._turn:
                    live = await self._live()
                    await self._carry_out(changes.tidy_commands(live))
                await self._renew_certificate(live)
            except (PlatformError, OSError) as error:
                await log.awarning("router_not_saved", error=str(error))

    async def _renew_certificate(self, live: Live) -> None:
        """Gives the running HAProxy a new certificate of the platform's own when names were added or it runs out."""
        settings = self._settings
        names = names_for(settings.domain, live.hosts)
        if await _to_the_end(ensure_certificates, settings.tls, names):
            path = settings.certificates / "default.pem"
            await certificates.exchange(settings, path, await asyncio.to_thread(path.read_text))

    async def _grow(self) -> None:
        """Doubles the slots: new files, then a seamless reload. Old connections end in the old process in their own time."""
        async with self._turn:
            live = await self._live()
            wanted = 2 * len(live.slots)
            await _to_the_end(files.save, self._settings, live, wanted)
            await reload(self._settings.master_socket)
            for _ in range(round(_RELOAD_TIMEOUT_S / _SAVE_AFTER_S)):
                await asyncio.sleep(_SAVE_AFTER_S)
                if await self._has_slots(wanted):
                    return
        raise Unavailable("The router did not make room for more apps; look at its error output.")

    async def _has_slots(self, count: int) -> bool:
        with contextlib.suppress(Unavailable):
            return len((await self._live()).slots) >= count
        return False


async def _to_the_end(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs what writes files in a thread and waits for it even when cancelled: two must never write the same file."""
    writing = asyncio.ensure_future(asyncio.to_thread(write, *args, **kwargs))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


_: type[Router] = HAProxyRouter
