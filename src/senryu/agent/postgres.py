"""The PostgreSQL server of the platform: Debian's program under a user of its own, its data below the home.

It listens on the dynos' gateway, with TLS, and on a Unix socket for senryud. Made when the first database is asked for, started again
whenever it has ended, left alone when the agent restarts.

Source: PostgreSQL documentation, "Server Configuration", "The pg_hba.conf File", "Creating a Database Cluster".
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from senryu.core.data_server import DataServer
from senryu.core.errors import Unavailable
from senryu.core.reach import DATABASE_PORT

from . import foreign

USER = "senryu-data"
ADMIN = "senryu_admin"
SLOT = "senryu_standby"
SLOT_KEEPS_MIB = 2048  # of the log, for a copy that does not run
_PROGRAMS = Path("/usr/lib/postgresql")
_CERTIFICATE = (
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", "/CN=postgresql",
)  # fmt: skip
_START_TIMEOUT_S = 60.0
_SESSION_MAX_BYTES = 512 * 1024 * 1024  # of a session's own memory, as a tenant may ask for any `work_mem`
_INIT_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 30.0
_QUESTION_TIMEOUT_S = 10.0
_ARCHIVE_S = 300  # at the latest, when something was written


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is: `root` (below it everything), the address it listens on and who may come from where.

    A copy has the server that it follows in `leader`.
    """

    root: Path
    address: str
    subnet: IPv4Network
    platform_user: str
    owner: str = USER
    port: int = DATABASE_PORT
    leader: Place | None = None

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.root / "cluster"

    @property
    def sockets(self) -> Path:
        """senryud's way in."""
        return self.root / "socket"


def settings_text(place: Place) -> str:
    """What differs from initdb's postgresql.conf. Pure."""
    return "\n".join(
        (
            f"listen_addresses = '{place.address}'",
            f"port = {place.port}",
            f"unix_socket_directories = '{place.sockets}'",
            "unix_socket_permissions = 0777",  # the directory is for the platform's group only
            "ssl = on",
            "ssl_min_protocol_version = 'TLSv1.2'",
            "password_encryption = 'scram-sha-256'",
            "max_connections = 1000",  # 16 MB more than 500 take, 47 less than 2,000
            "authentication_timeout = 10s",  # whoever does not say a password holds a place meanwhile
            "superuser_reserved_connections = 10",
            "shared_preload_libraries = 'pg_stat_statements'",
            "logging_collector = on",
            "log_directory = '../log'",
            "log_filename = 'postgresql-%a.log'",
            "log_rotation_age = 1d",
            "log_rotation_size = 0",
            "log_truncate_on_rotation = on",
            "log_statement = 'none'",
            "archive_mode = on",  # see `archive`: switching it takes a restart, its command does not
            "archive_command = '/bin/true'",
            "include_if_exists 'archive.conf'",
            "log_min_error_statement = panic",  # statements may have secrets of tenants
            f"max_slot_wal_keep_size = '{SLOT_KEEPS_MIB}MB'",  # a copy that falls further behind is made anew
            *(_following(place.leader) if place.leader else ()),
            "",
        )
    )


def _following(leader: Place) -> tuple[str, ...]:
    """What a copy has beside; the last line of a setting counts."""
    return (
        "archive_mode = off",  # the history is the first server's alone
        "hot_standby = on",
        f"primary_conninfo = 'host={leader.sockets} port={leader.port} user={ADMIN} application_name={SLOT}'",
        f"primary_slot_name = '{SLOT}'",
    )


def access_text(place: Place) -> str:
    """pg_hba.conf: the platform by the socket, its programs too; members of a database's own role from the dynos, with TLS. Pure."""
    return "\n".join(
        (
            f"local all {ADMIN} peer map=platform",
            f"local replication {ADMIN} peer map=platform",
            "local all all scram-sha-256",  # pg_dump and pg_restore, which the agent runs as the tenant
            f"hostssl samerole all {place.subnet} scram-sha-256",
            "hostssl samerole all samehost scram-sha-256",  # people of this machine, and senryud's wires
            "",
        )
    )


def ident_text(place: Place) -> str:
    """pg_ident.conf: which users of the machine are the administrator. Pure."""
    return f"platform {place.platform_user} {ADMIN}\nplatform root {ADMIN}\nplatform {place.owner} {ADMIN}\n"


def archive(place: Place, command: str) -> None:
    """Has each finished piece of the write-ahead log taken by `command` from now on. Blocks."""
    text = f"archive_timeout = {_ARCHIVE_S}\narchive_command = '{command}'\n"
    if foreign.read(place.data, "archive.conf") == text:
        return
    foreign.write(place.data, "archive.conf", text)
    pid = pid_of(place)
    if pid is not None:
        os.kill(pid, signal.SIGHUP)


def run(place: Place) -> None:
    """Sees to it that the server runs and takes connections. Blocks. Raises: Unavailable with what the owner has to do."""
    programs = programs_of(place)
    started = None
    prepare_folders(place)
    if is_running(place):
        _reload(place)
    else:
        _prepare(place, programs)
        _reap(place)
        started = _start(place, programs)
    _await_answer(place, programs, started)


def stop(place: Place) -> None:
    """Ends it as for a machine that is switched off: connections are cut, what was committed is kept. Blocks."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        pid = pid_of(place)
        if pid is None:
            return
        os.kill(pid, number)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while pid_of(place) == pid and time.monotonic() < deadline:
            time.sleep(0.05)


def programs_of(place: Place) -> Path:
    """PostgreSQL's programs of the version that the cluster is of, the newest for a new one. Raises: Unavailable."""
    version = foreign.read(place.data, "PG_VERSION")
    found = sorted((path for path in _PROGRAMS.glob("*/bin") if (path / "postgres").exists()), key=lambda path: int(path.parent.name))
    if version is not None:
        found = [path for path in found if path.parent.name == version.strip()]
    if not found:
        raise Unavailable("PostgreSQL's server is not on this machine: install Debian's package `postgresql`, or run ./quickstart again.")
    return found[-1]


def group_of(place: Place) -> int:
    """senryud's group, which may reach the socket."""
    return pwd.getpwnam(place.platform_user).pw_gid


def owner_of(place: Place) -> dict[str, object]:
    """What runs a program as the server's user. Raises: Unavailable when there is none."""
    try:
        account = pwd.getpwnam(place.owner)
    except KeyError:
        raise Unavailable(f"There is no user `{place.owner}` on this machine; run ./quickstart again, which makes it.") from None
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "umask": 0o077}


def ids_of(place: Place) -> tuple[int, int]:
    """The user and the group of the server. Raises: Unavailable when there are none."""
    owner = owner_of(place)
    return int(str(owner["user"])), int(str(owner["group"]))


def prepare_folders(place: Place) -> None:
    """Those that the server needs around its cluster; what is above them is root's. Raises: Unavailable."""
    uid, gid = ids_of(place)
    foreign.top(place.root)
    foreign.hand(place.sockets, uid, group_of(place), 0o750)
    foreign.hand(place.root / "log", uid, gid, 0o700)


def emptied(place: Place) -> Path:
    """An empty directory of the server's, where its cluster is made."""
    growing = place.root / "cluster.growing"
    if growing.is_symlink():
        growing.unlink()
    shutil.rmtree(growing, ignore_errors=True)
    foreign.hand(growing, *ids_of(place), 0o700)
    return growing


def _prepare(place: Place, programs: Path) -> None:
    if place.data.exists():
        _configure(place.data, place)
        return
    owner, growing = owner_of(place), emptied(place)
    _do(programs / "initdb", "-D", growing, "-U", ADMIN, "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions", **owner)
    foreign.write(growing, "postgresql.conf", (foreign.read(growing, "postgresql.conf") or "") + "include 'senryu.conf'\n")
    _do(*_CERTIFICATE, "-keyout", growing / "server.key", "-out", growing / "server.crt", **owner)
    _configure(growing, place)
    growing.rename(place.data)


def _configure(cluster: Path, place: Place) -> bool:
    """Whether something of it is new."""
    is_new = False
    if place.leader is not None and foreign.read(cluster, "standby.signal") is None:
        foreign.write(cluster, "standby.signal", "")
    for name, text in (("senryu.conf", settings_text(place)), ("pg_hba.conf", access_text(place)), ("pg_ident.conf", ident_text(place))):
        if foreign.read(cluster, name) != text:
            foreign.write(cluster, name, text)
            is_new = True
    return is_new


def _reload(place: Place) -> None:
    """Has a server that an earlier version of the agent started take over what can be without a restart."""
    pid = pid_of(place)
    if _configure(place.data, place) and pid is not None:
        os.kill(pid, signal.SIGHUP)


def pid_of(place: Place) -> int | None:
    """The server's process, None when it does not run (whatever an old file says)."""
    pid = _noted_pid(place)
    with contextlib.suppress(OSError):
        if pid is not None and os.fsencode(place.data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return pid
    return None


def _noted_pid(place: Place) -> int | None:
    """The process that the server's file names: one of the user the cluster belongs to, which may have ended but not been waited for."""
    try:
        pid = int((foreign.read(place.data, "postmaster.pid") or "").splitlines()[0])
        return pid if os.stat(f"/proc/{pid}").st_uid == os.lstat(place.data).st_uid else None
    except (OSError, ValueError, IndexError):
        return None


def _reap(place: Place) -> None:
    """A child of ours that was killed but not waited for counts as a running server to the next one."""
    pid = _noted_pid(place)
    with contextlib.suppress(OSError):
        if pid is not None:
            os.waitpid(pid, os.WNOHANG)


def is_running(place: Place) -> bool:
    """Whether the server's process is there."""
    return pid_of(place) is not None


def _start(place: Place, programs: Path) -> subprocess.Popen[bytes]:
    with foreign.fresh(place.root / "start.log") as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            ["/usr/bin/prlimit", f"--data={_SESSION_MAX_BYTES}", "--core=0", str(programs / "postgres"), "-D", str(place.data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            **owner_of(place),  # type: ignore[call-overload]
        )
    return process


def _await_answer(place: Place, programs: Path, started: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    question = [str(programs / "pg_isready"), "-q", "-h", str(place.sockets), "-p", str(place.port)]
    while not _says_yes(question, owner_of(place)):
        if time.monotonic() > deadline or (started is not None and started.poll() is not None):
            last = (foreign.said(place.root / "start.log") or ["it says nothing"])[-1]
            raise Unavailable(f"PostgreSQL's server does not start ({last[:200]}); see start.log and log/ in {place.root}.")
        time.sleep(0.05)


def _says_yes(question: list[str], owner: dict[str, object]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(question, timeout=_QUESTION_TIMEOUT_S, check=False, cwd="/", **owner).returncode == 0  # type: ignore[call-overload, no-any-return]
    return False


def _do(*command: object, **owner: object) -> None:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_INIT_TIMEOUT_S, check=False, cwd="/", **owner)  # type: ignore[call-overload]
    except subprocess.TimeoutExpired:
        raise Unavailable(f"PostgreSQL's server could not be made within {_INIT_TIMEOUT_S:.0f} s; try again.") from None
    if done.returncode != 0:
        raise Unavailable(f"PostgreSQL's server could not be made: {done.stderr.strip()[-200:]}")


class Program:
    """See data.Program."""

    def __init__(self, place: Place) -> None:
        self._place, self.port = place, place.port

    def run(self) -> DataServer:
        """See data.Program."""
        run(self._place)
        return DataServer(self._place.address, self._place.port, str(self._place.sockets))

    def is_running(self) -> bool:
        """See data.Program."""
        return is_running(self._place)

    def stop(self) -> None:
        """See data.Program."""
        stop(self._place)
