"""Dynos: the running processes of an app, and the contract of what runs them.

Source: https://devcenter.heroku.com/articles/dynos, schema `dyno`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class DynoState(StrEnum):
    """What the platform says of a dyno, spelled as the API spells it."""

    STARTING = "starting"
    UP = "up"
    IDLE = "idle"
    CRASHED = "crashed"
    DOWN = "down"
    COMPLETE = "complete"


class DynoKind(StrEnum):
    """Why a dyno runs: for the formation, once for a person, as a release phase, or to build a slug."""

    FORMATION = "formation"
    ONE_OFF = "run"
    RELEASE = "release"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of the platform that a build container sees.

    `source` is an absolute path on the engine's host below SENRYU_HOME (or one of the built-in buildpacks); `target` where it appears.
    Only build containers have mounts; writable ones are handed to the container's user for the time it runs.
    """

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class DynoOrder:
    """Everything an engine needs to run one dyno once.

    Takes: `id`, new for each start (a restarted web.1 has another id); `name`, `web.1`, `run.4821`; `command`, what a Procfile line
    holds, run by `bash`; `env`, the exact environment; `slug`, the SHA-256 of the slug unpacked at `/app`, None for
    an empty one; `port`, what `$PORT` says (0: the dyno serves nothing); `tty`, a terminal of `columns` x `lines`; `stdin`,
    whether input can be attached; `reaches`, ports of data servers that only dynos told so may reach; `buckets`,
    those of object storage that it finds by name.
    """

    id: UUID
    app_id: UUID
    app_name: str
    name: str
    kind: DynoKind
    command: str
    env: Mapping[str, str]
    slug: str | None
    stack: str
    memory_bytes: int
    cpu_shares: int
    pids: int
    disk_bytes: int
    port: int = 0
    tty: bool = False
    stdin: bool = False
    columns: int = 80
    lines: int = 24
    mounts: tuple[Mount, ...] = field(default=())
    reaches: tuple[int, ...] = ()
    buckets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObservedDyno:
    """What an engine says of a dyno it runs or ran.

    `address` is `host:port` the router can reach (None without a port); `is_listening` whether something in the dyno accepts on
    `port` from outside; `listens_locally` whether only 127.0.0.1 does; `other_port` another one that is
    listened on while `port` is not (0: none); `exit_status` (None while running) as a shell gives it, 128+signal
    when killed; `memory_bytes` resident plus swap; `is_out_of_memory` when the kernel killed it.
    """

    id: UUID
    app_id: UUID
    name: str
    kind: DynoKind
    is_running: bool
    address: str | None = None
    is_listening: bool = False
    listens_locally: bool = False
    other_port: int = 0
    exit_status: int | None = None
    memory_bytes: int = 0
    is_out_of_memory: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One line a dyno wrote. `position` orders and identifies it within the dyno (bytes into its record, increasing).

    `lost` is how many lines right before this one the engine knows to be gone (its record had to be cut); they become an L13 line.
    """

    dyno_id: UUID
    position: int
    at: datetime
    stream: str
    text: bytes
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Dyno:
    """The platform's own record of a dyno: what it was started for and what became of it. One record for each start.

    `state` is what `ps` shows. `retiring` says why it is to go once it is replaced (None: it stays); `drained_at` since when the
    router gives it nothing new; `stopped_at` when SIGTERM was sent; `ended_at` when its process was gone; `crashes` how often in a row this
    name crashed before; `exit_code` how it ended, and until then how the one before it of this name did; `clock` the stamp of the
    clock that all its moments are written by (core.clock).
    """

    id: UUID
    app_id: UUID
    kind: DynoKind
    type: str
    number: int
    release_id: UUID
    release_version: int
    command: str
    size: str
    state: DynoState
    port: int
    created_at: datetime
    changed_at: datetime
    crashes: int = 0
    retiring: str | None = None
    drained_at: datetime | None = None
    stopped_at: datetime | None = None
    killed_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    expires_at: datetime | None = None
    clock: str | None = None

    @property
    def name(self) -> str:
        """`web.1`."""
        return f"{self.type}.{self.number}"

    @property
    def is_live(self) -> bool:
        """Whether it runs or is about to, as far as the platform decided."""
        return self.ended_at is None and self.state in (DynoState.STARTING, DynoState.UP)


class Terminal(Protocol):
    """The stdio of one dyno or one command inside it, attached. Bytes as the program reads and writes them."""

    async def read(self) -> bytes:
        """The next bytes written by the program (stdout and stderr together), b"" at the end."""

    async def write(self, chunk: bytes) -> None:
        """Sends bytes to the program's stdin."""

    async def write_eof(self) -> None:
        """Says that no more input comes."""

    async def resize(self, columns: int, lines: int) -> None:
        """Changes the window size of a terminal; nothing without one."""

    async def exit_status(self) -> int:
        """Waits for the program's end and gives its status as a shell would."""

    async def close(self) -> None:
        """Lets go of the program; it is not killed."""


class Engine(Protocol):
    """Runs dynos. Knows nothing of apps' formations, releases or routes; `actions/supervise` decides, engines carry out.

    All calls raise Unavailable when the engine does not answer within limits.AGENT_TIMEOUT_S.
    """

    async def start(self, order: DynoOrder) -> None:
        """Starts a dyno; returns when its process runs. Starting an id that exists changes nothing.

        A dyno ordered with `stdin` is made ready but its program begins only at the first `attach`, so that no output is missed.

        Raises: Invalid when the order cannot be carried out (no such stack, slug missing or damaged).
        """

    async def signal(self, dyno_id: UUID, signal: str) -> None:
        """Sends `TERM`, `HUP` or `KILL` to every process of the dyno. Nothing happens when it has ended."""

    async def remove(self, dyno_id: UUID) -> None:
        """Kills what still runs and deletes every trace of the dyno. Idempotent."""

    async def dynos(self) -> list[ObservedDyno]:
        """Everything the engine runs or ran and was not told to remove, also from before its own restart."""

    def changes(self) -> AsyncIterator[ObservedDyno]:
        """Dynos as they change (started, listening, ended), for ever. May repeat; may miss while disconnected: `dynos()` is the truth."""

    async def attach(self, dyno_id: UUID) -> Terminal:
        """The stdio of a dyno started with `stdin`. Raises NotFound when there is none."""

    async def run_inside(self, dyno_id: UUID, command: str, env: Mapping[str, str], *, tty: bool, columns: int, lines: int) -> Terminal:
        """Runs a command inside a running dyno (`ps:exec`, `run:inside`). Raises NotFound when it does not run."""

    async def import_stack(self, name: str, source: str) -> None:
        """Makes a stack of a directory, a tarball or an OCI image reference. Raises Invalid when it cannot be taken."""


class OutputReader(Protocol):
    """Reads what dynos wrote. Separate from Engine because it is read by the log room, not by supervise."""

    def output(self, dyno_id: UUID, after: int) -> AsyncIterator[list[Output]]:
        """Batches of lines with positions above `after`, oldest first, until the dyno has ended and all is read."""


BASE_ENV: Mapping[str, str] = {
    "HOME": "/app",
    "PWD": "/app",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PS1": r"\[\033[01;34m\]\w\[\033[00m\] \[\033[01;32m\]$ \[\033[00m\]",
}


def port_of(dyno_id: UUID) -> int:
    """The port a dyno is told to bind: below the range from which the kernel takes ports of outgoing connections."""
    return 3000 + dyno_id.int % 29_000


def further_on(seen: ObservedDyno, told: ObservedDyno | None) -> ObservedDyno:
    """Of a look and a change told while it was under way, what is further on: a dyno starts, listens, ends."""
    if told is not None and (not told.is_running, told.is_listening) > (not seen.is_running, seen.is_listening):
        return told
    return seen
