"""The Redis servers of the platform: Debian's program, a process, a user id, a port, a directory and a control group for each.

A server listens on the dynos' gateway with TLS only, and on a Unix socket for senryud. Root writes what it reads; it may write
only its data and its socket.

Source: redis.io documentation, "Configuration", "ACL", "TLS", "Persistence"; redis.conf of Redis 7.0.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from uuid import UUID

import msgspec

from senryu.core.errors import Unavailable
from senryu.core.key_value_store import PORTS, SPARE_CONNECTIONS, StoreOrder, StoreServer
from senryu.core.limits import MIB

from . import cgroup, foreign, record
from .lot import DYNOS_MAX, Lot

_PROGRAMS = ("redis-server", "valkey-server")
_HIDDEN_PROGRAMS = ("redis-check-rdb", "valkey-check-rdb")  # the same program by another name; its package brings no service
_CERTIFICATE = (
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=redis",
)  # fmt: skip
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 15.0
_QUESTION_TIMEOUT_S = 2.0
_DO_TIMEOUT_S = 30.0
_VERSION = re.compile(r"v=([0-9.]+)")
_OPEN_FILES = 4096  # also for a larger plan later: without capabilities it cannot get more itself
_PROCESSES_MAX = 64  # threads; a rewrite of the log is a second process
_MEMORY_SPARE = 96 * MIB
_CPU_SHARES = 256
# With `appendfsync always` Redis ends at the first write that the disk does not take (aof.c), so there is none when the disk is full. What
# expires is written all the same, and may be late: it expires again.
_DONE = b"+OK\r\n" * 2
_OPEN, _CLOSED = ("appendfsync", "always", "min-replicas-to-write", "0"), ("appendfsync", "everysec", "min-replicas-to-write", "1")
# What could leave the server's own process, or undo its limits, is nobody's but the platform's.
_TENANT = (
    "~* &* +@all -@admin -@dangerous +info +keys +flushall +flushdb +sort +sort_ro +swapdb +role +restore +monitor +lastsave"
    " +client|list +client|kill +slowlog|get +slowlog|len +slowlog|reset +slowlog|help +latency +acl|whoami"
)


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server as the agent keeps it on disk. `secret` is the administrator's password."""

    id: UUID
    port: int
    secret: str
    memory_bytes: int = 25 * MIB
    connections: int = 20
    is_durable: bool = False
    verifiers: tuple[str, ...] = ()
    eviction: str = "noeviction"
    timeout_s: int = 300
    events: str = ""


def drawn(id: UUID, taken: set[int]) -> Kept:
    """A new server. Raises: Unavailable when all ports are taken."""
    for port in PORTS:
        if port not in taken:
            return Kept(id, port, os.urandom(32).hex())
    raise Unavailable(f"This machine has {len(PORTS)} key-value stores already; destroy some first.")


def changed(kept: Kept, order: StoreOrder) -> Kept:
    """With what the order says."""
    wanted = {name: getattr(order, name) for name in Kept.__struct_fields__ if name not in ("id", "port", "secret")}
    return msgspec.structs.replace(kept, **{name: value for name, value in wanted.items() if value is not None})


def settings_text(kept: Kept, root: Path, address: str) -> str:
    """redis.conf. Pure."""
    return "\n".join(
        (
            f"bind {address}",
            "port 0",
            f"tls-port {kept.port}",
            f"tls-cert-file {root}/server.crt",
            f"tls-key-file {root}/server.key",
            "tls-auth-clients no",
            'tls-protocols "TLSv1.2 TLSv1.3"',
            f"unixsocket {root}/run/s",
            "unixsocketperm 777",  # the directory is for the platform's group only
            f"dir {root}/data",
            f"aclfile {root}/users.acl",
            f"maxmemory {kept.memory_bytes}",
            f"maxmemory-policy {kept.eviction}",
            "maxmemory-clients 25%",
            f"maxclients {kept.connections + SPARE_CONNECTIONS}",
            f"timeout {kept.timeout_s}",
            f'notify-keyspace-events "{kept.events}"',
            'save ""',
            f"appendonly {'yes' if kept.is_durable else 'no'}",
            "appendfsync always",
            "sanitize-dump-payload yes",
            "set-proc-title no",  # is_running reads the command line
            "logfile /dev/null",  # scripts of tenants may write to it
            "",
        )
    )


def access_text(kept: Kept) -> str:
    """users.acl: tenants are `default`, the platform `senryu`. Pure."""
    import hashlib  # libcrypto with it: 3.5 MB that an agent without stores does not hold

    passwords = " ".join(f"#{verifier}" for verifier in kept.verifiers)
    admin = hashlib.sha256(kept.secret.encode()).hexdigest()
    return f"user default {'on' if passwords else 'off'} sanitize-payload {passwords} {_TENANT}\nuser senryu on #{admin} ~* &* +@all\n"


class Program:
    """One server; see data.Program. `root` is its own directory, `note` where the agent writes down its process.

    One that is durable and starts `is_closed` takes no writes.
    """

    def __init__(self, kept: Kept, root: Path, note: Path, lot: Lot, platform_gid: int, *, is_closed: bool = False) -> None:
        self._kept, self._root, self._note, self._lot, self._platform_gid = kept, root, note, lot, platform_gid
        self._is_closed = is_closed and kept.is_durable
        self._uid = lot.uid(DYNOS_MAX + 2 + kept.port - PORTS.start)  # dynos have those below
        self._group = f"store-{kept.port}"
        self.port = kept.port

    def run(self) -> StoreServer:
        """See data.Program."""
        program = _program(self._root.parent)
        self._prepare()
        started = None if self.is_running() else self._start(program)
        self._await_answer(started)
        self._confine()
        return StoreServer(self._lot.gateway, self.port, str(self._root / "run" / "s"), _version(program), self._kept.secret)

    def is_running(self) -> bool:
        """See data.Program."""
        return self.pid() is not None

    @property
    def is_durable(self) -> bool:
        """Whether its writes are on the disk before they are acknowledged."""
        return self._kept.is_durable

    def close(self, is_closed: bool) -> None:
        """Has it take no writes, or take them again. Raises: OSError, Unavailable."""
        words = " ".join(_CLOSED if is_closed else _OPEN)
        with foreign.held_socket(self._root / "run" / "s") as held, socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_QUESTION_TIMEOUT_S)
            asking.connect(str(held))
            asking.sendall(f"AUTH senryu {self._kept.secret}\r\nCONFIG SET {words}\r\n".encode())
            said = b""
            while len(said) < len(_DONE) and (more := asking.recv(len(_DONE))):
                said += more
        if said != _DONE:
            raise Unavailable(f"The Redis server at port {self.port} does not do as it is told.")

    def stop(self) -> None:
        """See data.Program."""
        for number, limit_s in ((signal.SIGTERM, _STOP_TIMEOUT_S), (signal.SIGKILL, _STOP_TIMEOUT_S)):
            pid = self.pid()
            if pid is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + limit_s
            while self.pid() == pid and time.monotonic() < deadline:
                time.sleep(0.02)
        if self.is_running():
            raise Unavailable(f"The Redis server at port {self.port} does not end; look at process {self.pid()}.")

    def remove(self) -> None:
        """Ends it, takes its data away."""
        self.stop()
        for _ in range(2):  # a fork of it that was writing a file
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._root)
        cgroup.remove_group(f"/{self._lot.cgroup}/{self._group}")
        self._note.unlink(missing_ok=True)

    def pid(self) -> int | None:
        """Its process, None when it does not run (whatever an old note says)."""
        try:
            pid, born = (int(word) for word in self._note.read_text().split())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if record.birth(pid) == born and os.fsencode(self._conf) in words else None

    @property
    def _conf(self) -> Path:
        return self._root / "redis.conf"

    def _prepare(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        self._root.chmod(0o711)
        self._root.parent.chmod(0o711)
        for name, mode, group in (("data", 0o700, self._uid), ("run", 0o710, self._platform_gid)):
            folder = self._root / name
            folder.mkdir(exist_ok=True)
            _hand_over(folder, self._uid)
            os.chown(folder, self._uid, group)
            folder.chmod(mode)
        if not (self._root / "server.crt").exists():
            _do(*_CERTIFICATE, "-keyout", self._root / "server.key", "-out", self._root / "new.crt")
            (self._root / "new.crt").rename(self._root / "server.crt")
        self._conf_written("redis.conf", settings_text(self._kept, self._root, self._lot.gateway))
        self._conf_written("users.acl", access_text(self._kept))
        for name in ("server.key", "server.crt", "redis.conf", "users.acl"):
            os.chown(self._root / name, 0, self._uid)
            (self._root / name).chmod(0o640)

    def _conf_written(self, name: str, text: str) -> None:
        """What is as it should be needs no space."""
        with contextlib.suppress(FileNotFoundError):
            if (self._root / name).read_bytes() == text.encode():
                return
        record.replace(self._root / name, text.encode())

    def _start(self, program: Path) -> subprocess.Popen[bytes]:
        (self._root / "run" / "s").unlink(missing_ok=True)
        words = ["prlimit", f"--nofile={_OPEN_FILES}", "--core=0", "setpriv", f"--reuid={self._uid}", f"--regid={self._uid}"]
        words += ["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--", str(program), str(self._conf)]
        words += [f"--{word}" if place % 2 == 0 else word for place, word in enumerate(_CLOSED if self._is_closed else ())]
        quiet, env = subprocess.DEVNULL, {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        started = subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, cwd="/", env=env)
        self._noted(f"{started.pid} {record.birth(started.pid)}")
        self._confine(started.pid)
        return started

    def _noted(self, text: str) -> None:
        """On a full disk the note of before is written over, which has its block; half of one names no process."""
        try:
            record.replace(self._note, text.encode())
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._note.exists():
                raise
            with self._note.open("r+") as file:
                file.write(text.ljust(self._note.stat().st_size))

    def _confine(self, pid: int | None = None) -> None:
        limit = 2 * self._kept.memory_bytes + _MEMORY_SPARE
        cgroup.confine(f"/{self._lot.cgroup}/{self._group}", pid, memory_bytes=limit, cpu_shares=_CPU_SHARES, pids=_PROCESSES_MAX)

    def _await_answer(self, started: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline or (started is not None and started.poll() is not None):
                why = f"`redis-server {self._conf} --logfile ''` says why"
                raise Unavailable(f"The Redis server at {self._lot.gateway}:{self.port} does not start; {why}.")
            time.sleep(0.01)

    def _answers(self) -> bool:
        path = self._root / "run" / "s"
        with contextlib.suppress(OSError), foreign.held_socket(path) as held, socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_QUESTION_TIMEOUT_S)
            asking.connect(str(held))
            asking.sendall(b"PING\r\n")
            return asking.recv(16)[:1] in (b"-", b"+")  # it knows nobody yet
        return False


def _program(folder: Path) -> Path:
    for name in _PROGRAMS:
        if (found := Path("/usr/bin") / name).exists():
            return found
    for hidden, name in zip(_HIDDEN_PROGRAMS, _PROGRAMS, strict=True):
        if (found := Path("/usr/bin") / hidden).exists():
            folder.mkdir(parents=True, exist_ok=True)
            link = folder / name
            if not link.is_symlink():
                link.symlink_to(found)
            return link
    raise Unavailable("Redis is not on this machine: install Debian's package `redis-tools`, or run ./quickstart again.")


def _version(program: Path) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_DO_TIMEOUT_S, check=False).stdout
    found = _VERSION.search(said)
    return found[1] if found else "unknown"


def _hand_over(folder: Path, uid: int) -> None:
    """What is in it, to the user id it has now: another lot has others. Links are not followed, and what is of others stays theirs."""
    former = folder.stat().st_uid
    if former == uid:
        return
    for _, folders, files, inside in os.fwalk(folder):
        for name in (*folders, *files):
            if os.stat(name, dir_fd=inside, follow_symlinks=False).st_uid == former:
                os.chown(name, uid, uid, dir_fd=inside, follow_symlinks=False)


def _do(*command: object) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_DO_TIMEOUT_S, check=False, cwd="/")
    if done.returncode != 0:
        raise Unavailable(f"The Redis server could not be made: {done.stderr.strip()[-200:]}")
