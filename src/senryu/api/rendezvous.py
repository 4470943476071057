"""Terminals of one-off dynos: the TLS port to which clients bring the secret of an `attach_url`.

Source: wire contract 6.2; https://devcenter.heroku.com/articles/error-codes (R13, R16)
"""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import structlog

from ..actions.tell import tell
from ..core import codes, limits
from ..core.dyno import Dyno, Terminal
from ..core.errors import NotFound, PlatformError, RateLimited
from ..core.exit_mark import in_pieces
from ..platform import Platform
from ..store.dynos import TerminalWish
from .wires import Wire

_WAITING_MAX = 1000
_CHUNK_BYTES = 64 * 1024
_HANGUPS = 3
_HANGUP_EVERY_S = 5.0
DOOR_HEADER = "Senryu-Rendezvous"
_FORWARDED = re.compile(r"(localhost|127\.0\.0\.1):[1-9][0-9]{0,4}\Z")
_log = structlog.get_logger("rendezvous")


@dataclass(frozen=True, slots=True)
class OneOff:
    """A one-off dyno that waits for its terminal."""

    dyno: Dyno
    is_framed: bool
    is_tty: bool


@dataclass(frozen=True, slots=True)
class Inside:
    """A command to be run inside a dyno once its terminal is there."""

    dyno: Dyno
    command: str
    env: Mapping[str, str]
    wish: TerminalWish
    is_framed: bool
    id: UUID = field(default_factory=uuid4)


Expected = OneOff | Inside | Wire


class Rendezvous:
    """Joins clients to terminals. A secret is good once, for limits.ATTACH_TIMEOUT_S. Use as `async with`."""

    def __init__(self, platform: Platform, certificate: ssl.SSLContext) -> None:
        self._platform, self._certificate = platform, certificate
        self._waiting: dict[str, Expected] = {}
        self._open: dict[UUID, Terminal] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Rendezvous:
        settings = self._platform.settings
        hosts = [settings.listen] if settings.listen else ["127.0.0.1", "::1"]
        self._server = await asyncio.start_server(
            self._serve, hosts, settings.rendezvous_port, ssl=self._certificate, ssl_handshake_timeout=10.0, limit=_CHUNK_BYTES
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    def expect(self, wanted: Expected, door: str | None = None) -> str:
        """Waits for a client; gives the `attach_url`. Raises: RateLimited when too many terminals wait.

        Takes: `door`, a port of the client's own machine from which it forwards to ours (`senryu tunnel`); others are not believed.
        """
        if len(self._waiting) >= _WAITING_MAX:
            raise RateLimited("Too many terminals are waiting for their clients; try again in a minute.")
        secret = secrets.token_urlsafe(32)
        self._waiting[secret] = wanted
        self._platform.supervision.undertake("rendezvous:wait", self._give_up(secret))
        settings = self._platform.settings
        place = door if door and _FORWARDED.match(door) else f"{settings.domain}:{settings.rendezvous_port}"
        return f"rendezvous://{place}/{secret}"

    async def _give_up(self, secret: str) -> None:
        await self._platform.clock.sleep(limits.ATTACH_TIMEOUT_S)
        wanted = self._waiting.pop(secret, None)
        if isinstance(wanted, OneOff):
            await self._tell(wanted.dyno, codes.R13)
            await self._platform.engine.signal(wanted.dyno.id, "KILL")

    async def _tell(self, dyno: Dyno, *texts: str) -> None:
        await tell(dyno.app_id, dyno.name, *texts, log_writer=self._platform.log_writer, clock=self._platform.clock)

    async def resize(self, dyno_id: UUID, columns: int, lines: int, terminal_id: str | None) -> None:
        """Changes a terminal's window: a dyno's own, or that of a command inside. Raises: NotFound when none is open."""
        key = dyno_id
        if terminal_id is not None:
            with suppress(ValueError):
                key = UUID(terminal_id)
        terminal = self._open.get(key)
        if terminal is None:
            raise NotFound("That dyno has no open terminal.")
        await terminal.resize(columns, lines)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10.0)
            wanted = self._waiting.pop(line.strip().decode("ascii", "replace"), None)
            if wanted is not None:
                await self._join(wanted, reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ssl.SSLError):
            pass
        except PlatformError as problem:
            with suppress(ConnectionError):
                writer.write(f" !     {problem.message}\r\n".encode())
                await writer.drain()
        except Exception:
            _log.exception("terminal failed")
        finally:
            writer.close()
            with suppress(Exception):
                await asyncio.wait_for(writer.wait_closed(), 5.0)

    async def _join(self, wanted: Expected, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"rendezvous\r\n")
        await writer.drain()
        # The official client throws its first chunk away: what follows must not travel with it.
        await asyncio.sleep(0.02)
        if isinstance(wanted, Wire):
            return await wanted.carry(reader, writer)
        engine, dyno = self._platform.engine, wanted.dyno
        if isinstance(wanted, OneOff):
            terminal, key = await engine.attach(dyno.id), dyno.id
        else:
            wish = wanted.wish
            terminal = await engine.run_inside(
                dyno.id, wanted.command, wanted.env, tty=wish.tty, columns=wish.columns, lines=wish.lines
            )
            key = wanted.id
        self._open[key] = terminal
        try:
            await self._relay(wanted, terminal, reader, writer)
        finally:
            self._open.pop(key, None)
            await terminal.close()

    async def _relay(
        self, wanted: OneOff | Inside, terminal: Terminal, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        is_tty = wanted.is_tty if isinstance(wanted, OneOff) else wanted.wish.tty
        typing = asyncio.create_task(_type(wanted.is_framed, is_tty, terminal, reader), name=f"terminal:{wanted.dyno.name}")
        showing = asyncio.create_task(_show(terminal, writer), name=f"screen:{wanted.dyno.name}")
        await asyncio.wait({typing, showing}, return_when=asyncio.FIRST_COMPLETED)
        client_left = typing.done() and not typing.cancelled() and typing.exception() is None and typing.result() == "left"
        if not showing.done() and not client_left:
            await asyncio.wait({showing})
        if not showing.done() or (showing.exception() is not None and not typing.done()):
            await self._hang_up(wanted)
        for task in (typing, showing):
            task.cancel()
        await asyncio.gather(typing, showing, return_exceptions=True)

    async def _hang_up(self, wanted: OneOff | Inside) -> None:
        """The client is gone: its processes are told, and given up on after a while (R16)."""
        if not isinstance(wanted, OneOff):
            return
        dyno, platform = wanted.dyno, self._platform
        for _ in range(_HANGUPS):
            await self._tell(dyno, "Client connection closed. Sending SIGHUP to all processes")
            await platform.engine.signal(dyno.id, "HUP")
            with suppress(PlatformError):
                await platform.supervision.ended(dyno.id, _HANGUP_EVERY_S)
                return
        await self._tell(dyno, codes.R16)


async def _type(is_framed: bool, is_tty: bool, terminal: Terminal, reader: asyncio.StreamReader) -> str:
    """Client to program. Gives `left` when the client went, `eof` when it said that no more comes."""
    while True:
        if is_framed:
            try:
                size = int.from_bytes(await reader.readexactly(4), "big")
                if size == 0:
                    await terminal.write_eof()
                    return await _until_left(reader)
                if size > 1024 * 1024:
                    return "left"
                await terminal.write(await reader.readexactly(size))
            except asyncio.IncompleteReadError:
                return "left"
            continue
        chunk = await reader.read(_CHUNK_BYTES)
        if not chunk:
            return "left"
        if not is_tty and chunk.endswith(b"\x04"):
            await terminal.write(chunk[:-1]) if len(chunk) > 1 else None
            await terminal.write_eof()
            return await _until_left(reader)
        await terminal.write(chunk)


async def _until_left(reader: asyncio.StreamReader) -> str:
    while await reader.read(_CHUNK_BYTES):
        pass
    return "left"


async def _show(terminal: Terminal, writer: asyncio.StreamWriter) -> None:
    """Program to client, until the program's end."""
    waiting = b""
    while chunk := await terminal.read():
        now, waiting = in_pieces(waiting + chunk)
        for piece in now:
            writer.write(piece)
            await writer.drain()
    writer.write(waiting)
    await writer.drain()
