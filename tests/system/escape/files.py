"""Files, processes and sockets of the machine, of the platform and of other apps."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from attempt import Refused, Targets, any_of, attempt, patience, read, writable

OPEN_AT_START = sorted(os.readlink(f"/proc/self/fd/{file}") for file in range(3, 64) if os.path.lexists(f"/proc/self/fd/{file}"))
_SOCKETS = (
    "/run/docker.sock /var/run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock /run/dbus/system_bus_socket"
    " /run/systemd/private /run/systemd/notify /run/systemd/journal/socket /dev/log /run/postgresql/.s.PGSQL.5432"
    " /var/run/postgresql/.s.PGSQL.5432 /tmp/.s.PGSQL.5432 /run/snapd.socket"
).split()
_DEVICES = (
    "/dev/mem /dev/kmem /dev/kmsg /dev/port /dev/fuse /dev/kvm /dev/net/tun /dev/loop-control /dev/loop0 /dev/vda /dev/sda /dev/nvme0n1"
).split()
_WRITES = {
    "write to /proc/sysrq-trigger": "/proc/sysrq-trigger",
    "write to core_pattern": "/proc/sys/kernel/core_pattern",
    "write to kernel.modprobe": "/proc/sys/kernel/modprobe",
    "write to binfmt_misc": "/proc/sys/fs/binfmt_misc/register",
    "write to uevent_helper": "/sys/kernel/uevent_helper",
    "turn on forwarding": "/proc/sys/net/ipv4/ip_forward",
    "write to the stack": "/usr/bin/env",
    "write to /etc": "/etc/passwd",
    "write to the init": "/proc/1/exe",
}
_READS = {
    "read /etc/shadow": "/etc/shadow",
    "read /proc/kcore": "/proc/kcore",
    "read /proc/kallsyms": "/proc/kallsyms",
    "read /proc/kmsg": "/proc/kmsg",
    "read /proc/keys": "/proc/keys",
    "read /proc/timer_list": "/proc/timer_list",
    "read /proc/modules": "/proc/modules",
}
_LISTINGS = {
    "list /root": "/root",
    "list /home": "/home",
    "list /sys/fs/cgroup": "/sys/fs/cgroup",
    "list /sys/kernel/debug": "/sys/kernel/debug",
    "list /sys/kernel/security": "/sys/kernel/security",
    "list /sys/firmware": "/sys/firmware",
}


def _listed(path: str) -> str | None:
    found = os.listdir(path)
    return f"{path}: {found[:5]}" if found else None


def _of_path(_targets: Targets, *, path: str, way: Callable[[str], str | None]) -> str | None:
    return way(path)


for _way, _paths in ((read, _READS), (writable, _WRITES), (_listed, _LISTINGS)):
    for _name, _path in _paths.items():
        attempt(_name)(partial(_of_path, path=_path, way=_way))


@attempt("open a device of the machine")
def open_device(_targets: Targets) -> str | None:
    return any_of(partial(read, path) for path in _DEVICES)


@attempt("write anywhere below /sys")
def write_sys(targets: Targets) -> str | None:
    deep = ("/sys/kernel", "/sys/class/net/eth0/", "/sys/class/net/lo/", "/sys/module", "/sys/power", "/sys/bus/workqueue", "/sys/block")
    command = ["find", *deep, "-maxdepth", "3", "-type", "f", "-print"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=20 * patience(targets)).stdout
    return any_of(partial(writable, path) for path in found.splitlines()[:5000])


@attempt("write to a control group, its release_agent")
def write_cgroup(_targets: Targets) -> str | None:
    paths = [line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    places = [f"/sys/fs/cgroup{part}{path}" for path in set(paths) for part in ("", "/memory", "/pids", "/unified", "/systemd")]
    names = ("release_agent", "cgroup.procs", "notify_on_release", "memory.limit_in_bytes", "pids.max")
    names += ("cgroup.kill", "cgroup.freeze", "cgroup.subtree_control", "cgroup.threads", "memory.max", "memory.oom.group", "cpu.weight")
    return any_of(partial(writable, f"{place}/{name}") for place in places for name in names)


@attempt("see the machine's control groups by their paths")
def see_cgroup(_targets: Targets) -> str | None:
    named = [line for line in Path("/proc/self/cgroup").read_text().splitlines() if "senryu" in line]
    return "; ".join(named)


@attempt("read files of the platform, slugs, repositories, keys, other apps' logs")
def read_platform(targets: Targets) -> str | None:
    def look(path: str) -> str | None:
        return _listed(path) if os.path.isdir(path) else read(path)

    return any_of(partial(look, path) for path in targets["paths"])


@attempt("find the platform's or another app's files anywhere")
def find_canary(targets: Targets) -> str | None:
    found = subprocess.run(
        ["grep", "-rlsIFx", "-D", "skip", targets["canary"][0], "/app", "/tmp", "/var", "/run", "/mnt", "/srv", "/opt", "/home", "/etc"],
        capture_output=True,
        text=True,
        timeout=20 * patience(targets),
    )
    return found.stdout.strip()


@attempt("find a file left by another dyno in a shared /tmp")
def shared_tmp(targets: Targets) -> str | None:
    places = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/app", "/run/lock")
    return any_of(partial(read, f"{place}/{name}") for place in places for name in targets["left"])


@attempt("reach a path the mount table names")
def mounted_paths(_targets: Targets) -> str | None:
    table = Path("/proc/self/mountinfo").read_text()
    named = {path for path in re.findall(r"/[\w./-]+", table) if "/agent/" in path or "senryu" in path}
    ours = {line.split()[4] for line in table.splitlines()}
    return any_of(partial(_found, path) for path in named - ours)


def _found(path: str) -> str:
    os.stat(path)
    return path


@attempt("climb above the root")
def climb(targets: Targets) -> str | None:
    above = "/".join([".."] * 40)
    starts = ("/", "/app", "/proc/self/cwd", "/proc/1/root")
    return any_of(partial(read, f"{start}/{above}{path}") for start in starts for path in targets["files"])


@attempt("follow a symlink of its own to the machine's files")
def through_symlink(targets: Targets) -> str | None:
    folder = tempfile.mkdtemp()

    def look(path: str) -> str:
        os.symlink(path, f"{folder}/{len(os.listdir(folder))}")
        return read(f"{folder}/{len(os.listdir(folder)) - 1}")

    return any_of(partial(look, path) for path in targets["files"])


@attempt("connect to an admin socket")
def admin_socket(targets: Targets) -> str | None:
    def tried(path: str) -> str:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_UNIX, kind) as connection, contextlib.suppress(OSError):
                connection.connect(path)
                return f"{path} answers"
        raise Refused("nothing there" if not os.path.lexists(path) else "refused")

    return any_of(partial(tried, path) for path in [*_SOCKETS, *targets["sockets"]])


@attempt("find any socket file")
def find_socket(_targets: Targets) -> str | None:
    found = subprocess.run(["find", "/", "-xdev", "-path", "/proc", "-prune", "-o", "-type", "s", "-print"], capture_output=True, text=True)
    return found.stdout.strip()


@attempt("connect to an abstract socket of the machine or of another dyno")
def abstract_socket(targets: Targets) -> str | None:
    def tried(name: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"\0{name}")
            return f"@{name} answers"

    return any_of(partial(tried, name) for name in targets["abstract"])


@attempt("see processes of others")
def see_processes(_targets: Targets) -> str | None:
    others = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid != os.getuid():
                others.append((process / "cmdline").read_text())
    return "; ".join(others)


@attempt("read the environment of others")
def read_environments(targets: Targets) -> str | None:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(canary.encode() in (process / "environ").read_bytes() for canary in targets["canary"]):
                return str(process)
    return None


@attempt("signal a process of the machine")
def signal_others(targets: Targets) -> str | None:
    def tried(pid: str) -> str | None:
        if os.path.exists(f"/proc/{pid}"):  # a small number may be one of our own
            raise Refused("nothing there")
        os.kill(int(pid), 0)
        return f"process {pid} can be signalled"

    return any_of(partial(tried, pid) for pid in targets["pids"])


@attempt("start with an open file that is not its own")
def leaked_files(_targets: Targets) -> str | None:
    return ", ".join(path for path in OPEN_AT_START if not path.startswith(("/app/", f"/proc/{os.getppid()}/")))


@attempt("run with the user of another dyno")
def shared_user(targets: Targets) -> str | None:
    return "the same user" if str(os.getuid()) in targets["uids"] else None


@attempt("overwrite the runtime through /proc/self/exe")
def overwrite_runtime(_targets: Targets) -> str | None:
    return any_of(partial(writable, path) for path in ("/proc/1/exe", "/run/senryu/init", "/proc/self/exe"))
