"""Which database a user means, and a way to it from this machine.

Databases are reached by dynos only. A wire carries one connection through the platform's TLS port of terminals: a port of this machine
is opened for as long as a program needs it, and each connection to it gets a wire of its own.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from senryu.cli import rendezvous
from senryu.cli.failure import Failure
from senryu.cli.output import warn
from senryu.cli.platform_api import PlatformApi, path_of, tls_context

_SERVICE = "heroku-postgresql:"
_CHUNK_BYTES = 64 * 1024
_UNSENT_MAX_BYTES = 1024 * 1024
_LOOK_S = 1.0
_CONNECTIONS_MAX = 64


class Wired(Protocol):
    """What can be reached over wires: its name, and the path at which they are asked for."""

    name: str
    wires: str


class Database:
    """An attachment with the URL of its config var."""

    def __init__(self, attachment: dict[str, Any], url: str) -> None:
        parts = urlsplit(url)
        self.attachment, self.url = attachment, url
        self.name, self.id = str(attachment["addon"]["name"]), str(attachment["addon"]["id"])
        self.wires = path_of("client", "v11", "databases", self.id, "wires")
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        self.database = unquote(parts.path.strip("/"))
        self.host, self.port = parts.hostname or "", parts.port or 5432

    def environment(self, port: int, host: str = "127.0.0.1") -> dict[str, str]:
        """What libpq's programs need to connect through a port of this machine.

        TLS is theirs to prefer, the server's to want: the platform's own takes nothing else, an operator's may have none.
        """
        own = {"PGHOST": host, "PGPORT": str(port), "PGUSER": self.user, "PGPASSWORD": self.password, "PGDATABASE": self.database}
        return {**os.environ, "PGSSLMODE": "prefer", "PGAPPNAME": "senryu pg", **own}


def address(url: str) -> SplitResult:
    """Raises `Failure` for what is no URL of a PostgreSQL database."""
    with suppress(ValueError):  # what it says may have a password in it
        parts = urlsplit(url)
        if parts.scheme in ("postgres", "postgresql"):
            return parts
    raise Failure(f"`{url.partition('://')[0]}://…` is no address of a PostgreSQL database")


def attachment(api: PlatformApi, app: str, name: str = "", credential: str | None = None) -> dict[str, Any]:
    """By attachment, config var or add-on, `DATABASE_URL` when none is named. Raises `Failure` for none, or no database."""
    body = {"addon_attachment": name or "DATABASE_URL", "app": app}
    found: list[dict[str, Any]] = api.post("/actions/addon-attachments/resolve", body)
    found = [each for each in found if each["addon"]["plan"]["name"].startswith(_SERVICE)]
    if credential:
        found = [each for each in found if each["namespace"] == f"credential:{credential}"]
    if not found:
        raise Failure(f"`{name or 'DATABASE'}` is no database of {app}", hint="`senryu addons` lists its add-ons")
    return found[0]


def database(api: PlatformApi, app: str, name: str = "", credential: str | None = None) -> Database:
    """See `attachment`; with its URL."""
    found = attachment(api, app, name, credential)
    config: dict[str, str] = api.get(path_of("apps", found["app"]["name"], "config-vars"))
    return Database(found, next(config[key] for key in found["config_vars"] if key.endswith("_URL")))


def program(name: str) -> str:
    """A program of PostgreSQL on this machine. Raises `Failure` when there is none."""
    found = shutil.which(name)
    if found is None:  # Debian keeps some out of PATH
        versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
        found = next((str(path) for path in sorted(versions, key=lambda path: int(path.parts[-3]), reverse=True)), None)
    if found is None:
        raise Failure(f"There is no `{name}` on this machine", hint="Install PostgreSQL's, such as Debian's postgresql-client")
    return found


@contextmanager
def reached(api: PlatformApi, wanted: Wired, port: int = 0) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to the database until this is left. Raises `Failure` when `port` is taken."""
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=16)
    except OSError as error:
        raise Failure(f"Port {port} of this machine is taken", hint="Choose another with `--port`") from error
    context = tls_context(api.certificate_authority())
    places = threading.BoundedSemaphore(_CONNECTIONS_MAX)
    with listener:
        thread = threading.Thread(target=_accept, args=(listener, wanted, context, places), daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])


def _accept(listener: socket.socket, wanted: Wired, context: ssl.SSLContext, places: threading.BoundedSemaphore) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # closed
        if places.acquire(blocking=False):
            threading.Thread(target=_serve, args=(client, wanted, context, places), daemon=True).start()
        else:
            client.close()


def _serve(client: socket.socket, wanted: Wired, context: ssl.SSLContext, places: threading.BoundedSemaphore) -> None:
    try:
        with client, PlatformApi() as api:
            opened = api.post(wanted.wires)
            with rendezvous.dial(opened["attach_url"], context) as wire:
                _carry(client, wire, rendezvous.await_dyno(wire))
    except Failure as failure:
        warn(str(failure))
    except OSError as error:
        warn(f"The connection to {wanted.name} broke off: {error}")
    finally:
        places.release()


def _carry(client: socket.socket, wire: ssl.SSLSocket, first: bytes) -> None:
    """Both ways in one thread, as a TLS connection is not for two."""
    to_client, to_wire = bytearray(first), bytearray()
    client.setblocking(False)
    wire.setblocking(False)
    while True:
        reads = [*([client] if len(to_wire) < _UNSENT_MAX_BYTES else []), *([wire] if len(to_client) < _UNSENT_MAX_BYTES else [])]
        writes = [*([client] if to_client else []), *([wire] if to_wire else [])]
        ready, _, _ = select.select(reads, writes, [], 0 if wire.pending() else _LOOK_S)
        is_over = client in ready and not _hear(client, to_wire)
        if wire in reads and (wire in ready or wire.pending()):
            is_over = not _hear(wire, to_client) or is_over
        _say(wire, to_wire)
        is_over = not _tell(client, to_client) or is_over
        if is_over:
            client.setblocking(True)
            wire.setblocking(True)
            with suppress(OSError):
                wire.sendall(to_wire)
            with suppress(ConnectionError):
                client.sendall(to_client)
            return


def _hear(source: socket.socket, into: bytearray) -> bool:
    """Gives false at the end."""
    try:
        chunk = source.recv(_CHUNK_BYTES)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return True
    except ConnectionError:
        if isinstance(source, ssl.SSLSocket):
            raise
        return False  # a program may leave without a word
    into += chunk
    return bool(chunk)


def _tell(client: socket.socket, what: bytearray) -> bool:
    """Gives false once the program has left, as it may before everything is said."""
    try:
        _say(client, what)
    except ConnectionError:
        return False
    return True


def _say(target: socket.socket, unsent: bytearray) -> None:
    with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        while unsent:
            del unsent[: target.send(unsent[:_CHUNK_BYTES])]
