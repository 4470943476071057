"""conmon and runc, as argument lists. conmon holds a dyno's stdio, writes its output and its exit status. Source: conmon(8), runc(8)."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from uuid import UUID

from senryu.core.errors import Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S, MIB

from .home import Home

OUTPUT_MAX_BYTES = 16 * MIB
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
_RUNC = ("/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc")


def runc_path() -> str:
    """The OCI runtime. Raises: Unavailable when there is none."""
    for path in _RUNC:
        if os.access(path, os.X_OK):
            return path
    raise Unavailable("runc is not installed on this machine; install the package runc.")


def runc(home: Home, *arguments: str, timeout_s: float = AGENT_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Runs runc on this home's containers."""
    command = [runc_path(), "--root", str(home.runtime), *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=ENV, timeout=timeout_s, check=False)


def create(home: Home, dyno_id: UUID, *, tty: bool, stdin: bool) -> tuple[int, int]:
    """Starts conmon, which creates the container of the bundle and holds it. Gives the ids of conmon and of the dyno's process 1.

    conmon is a session of its own and no child that dies with us. Raises: Unavailable with what runc said.
    """
    bundle = home.dyno(dyno_id)
    told, tells = os.pipe()
    try:
        shim = subprocess.Popen(
            _conmon(home, dyno_id, bundle, tty=tty, stdin=stdin),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**ENV, "_OCI_SYNCPIPE": str(tells)},
            pass_fds=(tells,),
            start_new_session=True,
            cwd=bundle,
        )
        os.close(tells)
        tells = -1
        said = _line(told, AGENT_TIMEOUT_S)
    finally:
        os.close(told)
        if tells >= 0:
            os.close(tells)
    pid = said.get("pid", said.get("data"))
    if not isinstance(pid, int) or pid <= 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            shim.wait(AGENT_TIMEOUT_S)
        raise Unavailable(f"The dyno's container could not be made: {str(said.get('message', 'runc gave no reason')).strip()[:400]}")
    return shim.pid, pid


def start(home: Home, dyno_id: UUID) -> None:
    """Lets the created container run. Raises: Unavailable with what runc said."""
    if _released(home.runtime / str(dyno_id) / "exec.fifo"):
        return
    done = runc(home, "start", str(dyno_id))
    if done.returncode != 0:
        raise Unavailable(f"The dyno's container could not be started: {done.stderr.strip()[:400]}")


def _released(fifo: Path) -> bool:
    """Reads what process 1 waits to write, as `runc start` does, without starting runc for it: a tenth of a dyno's start.

    False when that cannot be done. Source: runc, libcontainer/container_linux.go, `handleFifoResult`.
    """
    try:
        pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not select.select([pipe], [], [], AGENT_TIMEOUT_S)[0] or not os.read(pipe, 1):
            return False
        fifo.unlink(missing_ok=True)
        return True
    except OSError:
        return False
    finally:
        os.close(pipe)


def is_waiting(home: Home, dyno_id: UUID) -> bool:
    """Whether the container is made but not yet started: runc's process 1 waits on this pipe until then."""
    return (home.runtime / str(dyno_id) / "exec.fifo").exists()


def end_stray(home: Home, dyno_id: UUID) -> None:
    """Kills conmon and runc processes of a dyno whose start was cut off, wherever they had got to, and what these forked meanwhile."""
    until = time.monotonic() + AGENT_TIMEOUT_S
    while (pids := _strays(os.fsencode(home.dyno(dyno_id)))) and time.monotonic() < until:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _strays(bundle: bytes) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if bundle in arguments and Path(os.fsdecode(arguments[0])).name in ("conmon", "runc"):
                found.append(int(process.name))
    return found


def delete(home: Home, dyno_id: UUID) -> None:
    """Kills and forgets the container, if there is one; its control group goes too."""
    if (home.runtime / str(dyno_id)).exists():
        runc(home, "delete", "--force", str(dyno_id))


def _conmon(home: Home, dyno_id: UUID, bundle: Path, *, tty: bool, stdin: bool) -> list[str]:
    output = home.output(dyno_id)
    return [
        "conmon", "--api-version", "1", "--sync", "--full-attach", "--no-sync-log",
        "--cid", str(dyno_id), "--cuuid", str(dyno_id), "--name", str(dyno_id),
        "--runtime", runc_path(), "--runtime-arg", "--root", "--runtime-arg", str(home.runtime),
        "--bundle", str(bundle), "--container-pidfile", str(bundle / "pid"), "--conmon-pidfile", str(bundle / "conmon.pid"),
        "--exit-dir", str(output), "--log-path", f"k8s-file:{output / 'log'}", "--log-size-max", str(OUTPUT_MAX_BYTES),
        "--log-level", "error",
        *(["--terminal"] if tty else []),
        *(["--stdin"] if stdin else []),
    ]  # fmt: skip


def _line(source: int, timeout_s: float) -> dict[str, object]:
    """The JSON object conmon writes on its sync pipe."""
    received = b""
    while not received.endswith(b"\n"):
        if not select.select([source], [], [], timeout_s)[0]:
            break
        chunk = os.read(source, 65536)
        if not chunk:
            break
        received += chunk
    try:
        said = json.loads(received)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
