"""The S3 server of the platform: SeaweedFS under a user of its own, its data below the home.

It is shut in: a network of its own, so that its insides, which ask nobody who he is, listen where nobody else is; a root directory of
its own, as it makes sockets in /tmp; S3 on a Unix socket that only the router's group reaches. Made when the first bucket is asked for,
started again whenever it has ended or its program was upgraded, left alone when the agent restarts.

Source: SeaweedFS wiki, "weed server", "Amazon S3 API", "Filer Stores"; `weed server -h` of 4.48.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from senryu.core.data_server import DataServer
from senryu.core.errors import Unavailable
from senryu.core.object_store import BucketOrder, BucketUse

from . import foreign, object_shell
from .front import Front

USER = "senryu-objects"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 5.0  # politely; it loses nothing it acknowledged when it is killed
_ANSWER_TIMEOUT_S = 5.0
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_MEMORY = "192MiB"  # where its garbage collector begins to work harder, no limit
_NEWS_S = 20.0  # for so long after a write the server's own count may lag behind
# Only constants here; what varies comes as arguments.
_SHUT_IN = (
    'mount --bind -o ro "$1" "$2/weed" && ip link set lo up && root=$2 && user=$3 && shift 3'
    ' && exec chroot --userspec="$user" "$root" /weed "$@"'
)
# A master without a state waits whether others are there, and the S3 server for it: 3.4 s, with this 2.2. Each start has it anew:
# what a master forgets, volumes tell it, and nothing that broke it stays. Made by decisions/0060's commands.
_ELECTED = Path(__file__).with_name("only-master.tar.gz")
_AS_OWNER = 'cd "$0" && rm -rf m9333 && tar -xz --no-same-owner'
_FILES = {
    "filer.toml": '[leveldb2]\nenabled = true\ndir = "/data/filer"\n',
    "master.toml": "[master.volume_growth]\ncopy_1 = 1\n",  # a bucket takes one volume at a time
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is: its own root directory, whose group may come to its socket; dynos find the router (`front`) at `address`."""

    root: Path
    platform_user: str
    address: str
    front: Front
    owner: str = USER
    program: Path = Path(sys.executable).parent / "weed"

    @property
    def socket(self) -> Path:
        """S3."""
        return self.root / "socket" / "s3.sock"


def arguments(host: str) -> tuple[str, ...]:
    """What `weed` is started with; paths are inside its root. Pure."""
    return (
        *("-config_dir=/conf", "-logdir=/log", "-alsologtostderr=false", "-log_max_size_mb=10", "-log_max_files=3"),
        *("server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=/data"),
        *("-master.raftHashicorp=true", "-master.electionTimeout=200ms", "-master.heartbeatInterval=50ms", "-master.telemetry=false"),
        *("-master.volumeSizeLimitMB=1024", "-master.vacuumIntervalSeconds=60"),
        *("-volume.max=20000", "-volume.minFreeSpace=1GiB"),
        *("-filer", "-filer.localSocket=/tmp/filer.sock", "-filer.disableHttp=false"),
        *("-s3", "-s3.localSocket=/socket/s3.sock", "-s3.config=/conf/s3.json", f"-s3.domainName={host}"),
        *("-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"),
    )


class Program:
    """See data.Program; and what is done to buckets. Each call blocks."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.port = place.front.ports[0]
        self._seen: tuple[object, float, list[BucketUse]] = (None, 0.0, [])

    def run(self) -> DataServer:
        """See data.Program."""
        if not self.is_running():
            self.stop()
            _prepare(self._place)
            _await_answer(self._place, _start(self._place))
        _await_answer(self._place, None)
        return DataServer(self._place.address, self.port, str(self._place.socket.parent))

    def is_running(self) -> bool:
        """Whether its process is there, is of the installed program, and has the arguments it should have."""
        pid = _pid(self._place.root)
        if pid is None:
            return False
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[1:-1]
            return tuple(words) == arguments(self._place.front.objects_host) and _is_same(Path(f"/proc/{pid}/exe"), self._place.program)
        except OSError:
            return False

    def stop(self) -> None:
        """See data.Program."""
        stop(self._place.root)

    def make_bucket(self, order: BucketOrder) -> None:
        """See ObjectServer."""
        object_shell.make(self._said, order)

    def limit_bucket(self, bucket: str, quota_bytes: int) -> None:
        """See ObjectServer."""
        object_shell.limit(self._said, bucket, quota_bytes)

    def remove_bucket(self, bucket: str) -> None:
        """See ObjectServer."""
        object_shell.remove(self._said, bucket)

    def bucket_uses(self) -> list[BucketUse]:
        """See ObjectServer. The server is asked only when its files have changed: idle buckets cost a look at a directory."""
        state, newest = _state(self._place)
        before, asked, uses = self._seen
        if state == before and asked > newest + _NEWS_S:
            return uses
        now = time.time()
        uses = object_shell.uses(self._said)
        self._seen = (state, now, uses)
        return uses

    def _said(self, commands: list[str]) -> str:
        """What `weed shell` says to commands, which may have secrets: they go by stdin."""
        pid = _pid(self._place.root)
        if pid is None:
            raise Unavailable("The object storage of the platform is starting; try again in a few seconds.")
        self._seen = (None, 0.0, [])
        uid, gid = _owner(self._place)
        inside = ("nsenter", "--target", str(pid), "--net", "--mount", "--root", "--wd=/", "-S", str(uid), "-G", str(gid), "--")
        return object_shell.run((*inside, "/weed", "-logdir=/log", "shell", "-master=127.0.0.1:9333", "-filer=127.0.0.1:8888"), commands)


def stop(root: Path) -> None:
    """Ends the server of a root directory, and what a killed agent was asking it. What it has acknowledged is kept. Blocks."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = _pid(root)
        if pid is None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while _pid(root) == pid and time.monotonic() < deadline:
            time.sleep(0.05)
    for left in _inside(root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(left, signal.SIGKILL)


def _inside(root: Path) -> list[int]:
    """The processes that have this root."""
    found = []
    for number in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if number.isdigit() and Path(f"/proc/{number}/root").samefile(root):
                found.append(int(number))
    return found


def _owner(place: Place) -> tuple[int, int]:
    try:
        account = pwd.getpwnam(place.owner)
    except KeyError:
        raise Unavailable(f"There is no user `{place.owner}` on this machine; run ./quickstart again, which makes it.") from None
    return account.pw_uid, account.pw_gid


def _prepare(place: Place) -> None:
    if not os.access(place.program, os.X_OK):
        raise Unavailable(f"SeaweedFS is not installed at {place.program}; run ./quickstart again, which installs it.")
    uid, gid = _owner(place)
    group = pwd.getpwnam(place.platform_user).pw_gid
    foreign.top(place.root)
    for name, mode, its_group in (*((name, 0o700, gid) for name in ("data", "tmp", "log")), ("socket", 0o710, group)):
        foreign.hand(place.root / name, uid, its_group, mode)
    conf = place.root / "conf"
    foreign.hand(conf, 0, gid, 0o750)
    (place.root / "weed").touch(mode=0o755)
    for name, text in _FILES.items():
        foreign.write(conf, name, text, group=gid, mode=0o640)
    # Somebody has to be known to the server, or it lets anybody do anything; nobody uses this key.
    admin = {"accessKey": os.urandom(10).hex(), "secretKey": os.urandom(20).hex()}
    identity = {"name": object_shell.NOBODY, "credentials": [admin], "actions": ["Admin"]}
    foreign.write(conf, "s3.json", json.dumps({"identities": [identity]}), group=gid, mode=0o640)
    for leftover in (place.root / "tmp").iterdir():
        if leftover.is_socket():
            leftover.unlink()
    _elect(place, uid, gid)


def _elect(place: Place, uid: int, gid: int) -> None:
    words = ("setpriv", "--reuid", str(uid), "--regid", str(gid), "--clear-groups", "--no-new-privs", "--", "/bin/sh", "-euc", _AS_OWNER)
    with _ELECTED.open("rb") as state:
        done = subprocess.run(
            [*words, str(place.root / "data")], stdin=state, stderr=subprocess.PIPE, timeout=_START_TIMEOUT_S, check=False,
            env={"PATH": _PATH},
        )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"])[-1]
        raise Unavailable(f"The S3 server's own files could not be written ({last[:200]}); see that the disk has room and is sound.")


def _start(place: Place) -> subprocess.Popen[bytes]:
    """The process becomes `weed` by exec, so its number is known before it runs."""
    uid, gid = _owner(place)
    apart = ("unshare", "--net", "--mount", "--propagation", "private", "--")
    shut_in = ("/bin/sh", "-c", _SHUT_IN, "sh", str(place.program), str(place.root), f"{uid}:{gid}")
    with foreign.fresh(place.root / "start.log") as log:
        process = subprocess.Popen(
            [*apart, *shut_in, *arguments(place.front.objects_host)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={"PATH": _PATH, "HOME": "/tmp", "GOMEMLIMIT": _MEMORY},
            umask=0o077,
        )
    new = place.root / "pid.new"
    new.write_text(str(process.pid))
    new.replace(place.root / "pid")
    return process


def _pid(root: Path) -> int | None:
    """The server's process, None when it does not run: a number may by now be somebody else's, who has another root."""
    try:
        pid = int((root / "pid").read_text())
        if _is_in(pid, root) and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            return pid
    except (OSError, ValueError):
        pass
    return None


def _is_in(pid: int, root: Path) -> bool:
    """Whether a process has this root, or is one that is about to: its arguments name it until then."""
    if Path(f"/proc/{pid}/root").samefile(root):
        return True
    return os.fsencode(root) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _is_same(program: Path, installed: Path) -> bool:
    ours, theirs = program.stat(), installed.stat()
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)


def _await_answer(place: Place, started: subprocess.Popen[bytes] | None) -> None:
    """Until S3 answers. The socket is then the router's to connect to."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _is_open(place.socket):
        if time.monotonic() > deadline or (started is not None and started.poll() is not None):
            last = (foreign.said(place.root / "start.log") or ["it says nothing"])[-1]
            raise Unavailable(f"The S3 server does not start ({last[:200]}); see start.log and log/ in {place.root}.")
        time.sleep(0.05)


def _is_open(path: Path) -> bool:
    """Whether S3 answers; its socket is then for everybody who may come to its directory: the platform's group."""
    try:
        with foreign.held_socket(path) as held, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_TIMEOUT_S)
            connection.connect(str(held))
            connection.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            if connection.recv(64).split(b" ")[1:2] != [b"200"]:
                return False
            held.chmod(0o666)
            return True
    except OSError:
        return False


def _state(place: Place) -> tuple[object, float]:
    """What tells that objects came or went, and when the last did."""
    indexes = [entry for entry in os.scandir(place.root / "data") if entry.name.endswith(".idx")]
    found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in indexes]
    files = [(name, its.st_size, its.st_mtime) for name, its in found]
    return frozenset(files), max((mtime for _, _, mtime in files), default=0.0)
