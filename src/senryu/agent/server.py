"""The agent's door: one Unix socket, one user, typed requests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Sequence
from uuid import UUID

from senryu.core.data_server import DataServer
from senryu.core.errors import Invalid, NotFound, PlatformError, Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S
from senryu.core.object_store import check_bucket, check_order, check_quota

from . import archive_programs, inside, protocol, stack_import, stores
from .data import Data
from .dyno import Dyno
from .dynos import Dynos
from .failure import unavailable
from .launch import Site
from .objects import Program as Objects
from .wire import Channel, Closed, TooLarge, peer_uid

_CONNECTIONS_MAX = 512
_REQUEST_TIMEOUT_S = 5.0
_SMALL_BYTES = 64 * 1024
_LARGE_MAX_BYTES = 64 * 1024 * 1024  # of all requests above _SMALL_BYTES that are on their way at once
_OUT_OF_FILES_S = 0.1
_ARCHIVES_INDEX = 1  # the gateway's, which no dyno has


class Server:
    """Answers requests about `dynos`. `uid` is the only user (besides root) it listens to."""

    def __init__(self, site: Site, dynos: Dynos, data: Data) -> None:
        self._site = site
        self._dynos = dynos
        self._data = data
        self._open = 0
        self._large_bytes = 0

    async def serve(self, listener: socket.socket) -> None:
        """Accepts connections for ever."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listener)
                except OSError as error:  # no descriptor is free, or the other end went while it waited
                    print(f"senryu-agent: a connection could not be taken: {error}", file=sys.stderr, flush=True)
                    await asyncio.sleep(_OUT_OF_FILES_S)
                    continue
                if self._open >= _CONNECTIONS_MAX or peer_uid(connection) not in (0, self._site.home.uid):
                    connection.close()
                    continue
                self._open += 1
                tasks.create_task(self._converse(connection), name="conversation")

    async def _converse(self, connection: socket.socket) -> None:
        channel = Channel(connection, limit_bytes=protocol.REQUEST_MAX_BYTES, may_receive_files=False)
        try:
            await self._answer(await self._request(channel), channel)
        except PlatformError as error:
            await _last(channel, protocol.failure(error))
        except TooLarge:
            await _last(channel, protocol.failure(Invalid("The request to the agent is too large.")))
        except (Closed, TimeoutError):
            pass
        except OSError as error:
            print(f"senryu-agent: {error}", file=sys.stderr, flush=True)
            await _last(channel, protocol.failure(unavailable("The agent could not do this", error)))
        except Exception as error:
            print(f"senryu-agent: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            await _last(channel, protocol.Failed(kind="unavailable", message=f"The agent failed: {type(error).__name__}."))
        finally:
            channel.close()
            self._open -= 1

    async def _request(self, channel: Channel) -> protocol.Request:
        """The one request of a connection. Raises: Invalid, Unavailable, TooLarge, Closed, TimeoutError."""
        large = 0

        def admit(length: int) -> None:
            nonlocal large
            large = length if length > _SMALL_BYTES else 0
            self._large_bytes += large
            if self._large_bytes > _LARGE_MAX_BYTES:
                raise Unavailable("The agent is reading too many large requests at once; try again.")

        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                payload, _ = await channel.receive(admit)
            return protocol.read_request(payload)
        finally:
            self._large_bytes -= large

    async def _answer(self, request: protocol.Request, channel: Channel) -> None:
        match request:
            case protocol.Start(order=order):
                await self._dynos.start(order)
            case protocol.Signal(dyno_id=dyno_id, signal=name):
                await self._dynos.signal(dyno_id, name)
            case protocol.Remove(dyno_id=dyno_id):
                await self._dynos.remove(dyno_id)
            case protocol.ListDynos():
                return await _say(channel, protocol.Dynos(self._dynos.observed()))
            case protocol.Watch():
                return await channel.while_open(self._tell(channel))
            case protocol.Attach(dyno_id=dyno_id):
                return await self._attach(dyno_id, channel)
            case protocol.AwaitEnd(dyno_id=dyno_id):
                return await self._await_end(dyno_id, channel)
            case protocol.RunInside():
                return await inside.run(request, self._dynos.get(request.dyno_id), self._site, channel)
            case protocol.OpenOutput(dyno_id=dyno_id, after=after):
                return await self._open_output(dyno_id, after, channel)
            case protocol.RunData(kind=kind):
                return await _say(channel, protocol.Serves(await self._data.run(kind)))
            case protocol.EndStandby():
                await self._data.end_standby()
            case protocol.MeasureStandby():
                return await _say(channel, protocol.Used(await asyncio.to_thread(self._data.standby.used_bytes)))
            case protocol.RunArchiveProgram():
                return await archive_programs.run(request, self._data.sockets(request), self._site.lot.uid(_ARCHIVES_INDEX), channel)
            case protocol.KeepHistory(days=days):
                await channel.while_open(self._data.history.keep(days))
            case protocol.Rewind(id=id, at=at, database=database):
                sockets = await channel.while_open(self._data.history.rewind(id, at, database))
                return await _say(channel, protocol.Serves(DataServer("", self._data.postgres.port, sockets)))
            case protocol.MeasureHistory():
                return await _say(channel, protocol.Used(await self._data.history.used_bytes()))
            case protocol.ForgetRewound(id=id):
                await self._data.history.forget(id)
            case protocol.RunStore(order=order):
                stores.check(order)
                return await _say(channel, protocol.ServesStore(await self._data.run_store(order)))
            case protocol.RemoveStore(id=id):
                await self._data.remove_store(id)
            case protocol.MakeBucket() | protocol.LimitBucket() | protocol.RemoveBucket() | protocol.ListBuckets():
                return await self._bucket(request, channel)
            case protocol.ImportStack(name=name, source=source):
                await asyncio.to_thread(stack_import.import_stack, name, source, self._site.home)
        return await _say(channel, protocol.Done())

    async def _bucket(
        self, request: protocol.MakeBucket | protocol.LimitBucket | protocol.RemoveBucket | protocol.ListBuckets, channel: Channel
    ) -> None:
        answer: protocol.Answer = protocol.Done()
        match request:
            case protocol.MakeBucket(order=order):
                check_order(order)
                await self._data.with_objects(Objects.make_bucket, order)
            case protocol.LimitBucket(bucket=bucket, quota_bytes=quota_bytes):
                check_bucket(bucket)
                check_quota(quota_bytes)
                await self._data.with_objects(Objects.limit_bucket, bucket, quota_bytes)
            case protocol.RemoveBucket(bucket=bucket):
                check_bucket(bucket)
                if self._data.has_objects():
                    await self._data.with_objects(Objects.remove_bucket, bucket)
            case protocol.ListBuckets():
                uses = await self._data.with_objects(Objects.bucket_uses) if self._data.has_objects() else []
                answer = protocol.Buckets(uses)
        await _say(channel, answer)

    async def _tell(self, channel: Channel) -> None:
        async for dyno in self._dynos.watch():
            await _say(channel, protocol.Changed(dyno))

    async def _attach(self, dyno_id: UUID, channel: Channel) -> None:
        dyno = self._dynos.get(dyno_id)
        stdio, control = await dyno.attach()
        try:
            await _say(channel, protocol.Opened(tty=dyno.kept.tty), [stdio.fileno(), control])
        finally:
            os.close(control)
            stdio.close()

    async def _await_end(self, dyno_id: UUID, channel: Channel) -> None:
        dyno = self._dynos.get(dyno_id)
        await channel.while_open(_ended(dyno))
        await _say(channel, protocol.Exited(dyno.exit_status or 0))

    async def _open_output(self, dyno_id: UUID, after: int, channel: Channel) -> None:
        found = await asyncio.to_thread(self._dynos.get(dyno_id).output.after, after)
        if found is None:
            raise NotFound("There is no output of such a dyno.")
        output, lost = found
        try:
            await _say(channel, protocol.Opened(lost=lost), [output])
        finally:
            os.close(output)


def listen(site: Site) -> socket.socket:
    """The agent's socket, open to senryud's group only."""
    path = site.home.socket
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    former = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(former)
    os.chown(path, 0, site.home.gid)
    listener.listen(128)
    listener.setblocking(False)
    return listener


async def _ended(dyno: Dyno) -> None:
    await dyno.ended.wait()


async def _say(channel: Channel, answer: protocol.Answer, files: Sequence[int] = ()) -> None:
    async with asyncio.timeout(AGENT_TIMEOUT_S):
        await channel.send(protocol.encoded(answer), files)


async def _last(channel: Channel, answer: protocol.Answer) -> None:
    with contextlib.suppress(Closed, TimeoutError):
        await _say(channel, answer)
