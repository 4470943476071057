"""A dyno's order as an OCI runtime configuration (`config.json`). Pure.

Source: the OCI runtime specification; Dev Center, articles/dynos; what a Heroku dyno shows of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from senryu.core.dyno import DynoKind, DynoOrder
from senryu.core.limits import MEMORY_KILL_RATIO, MIB

from . import seccomp

INIT: Final = "/run/senryu/init"
NOFILE: Final = 10_000
_BUILD_OOM_SCORE, _DYNO_OOM_SCORE = 600, 300

# Profile scripts see no arguments of ours and cannot change the command; it reaches bash as an argument and is never pasted into a script.
_START: Final = """\
readonly senryu_command="$1"; shift
for senryu_file in /etc/profile.d/*.sh /app/.profile.d/*.sh "$HOME/.profile"; do
  if [ -f "$senryu_file" ] && [ -r "$senryu_file" ]; then . "$senryu_file"; fi
done
unset senryu_file
exec bash -c "$senryu_command"
"""

_MASKED = (
    "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/key-users /proc/kallsyms /proc/kmsg /proc/latency_stats /proc/sched_debug "
    "/proc/scsi /proc/timer_list /proc/timer_stats /proc/config.gz /proc/modules /sys/firmware /sys/kernel/debug "
    "/sys/devices/virtual/powercap /sys/kernel/security /sys/fs/cgroup"
).split()
_READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()


@dataclass(frozen=True, slots=True)
class Place:
    """Where one dyno lives on this machine.

    `root` is the read-only root, `disk` its mounted throw-away disk, `lower` the translated slug (None: no slug), `etc` its private files
    of /etc, `binds` further (source, target, writable) mounts, `network` a path of its network namespace.
    """

    root: Path
    disk: Path
    lower: Path | None
    uid: int
    hostname: str
    cgroup: str
    network: str
    nofile_hard: int
    binds: Sequence[tuple[str, str, bool]]
    has_unified_cgroups: bool
    has_swap_limit: bool


def configuration(order: DynoOrder, place: Place) -> dict[str, Any]:
    """The configuration runc starts the dyno from."""
    return {
        "ociVersion": "1.0.2",
        "hostname": place.hostname,
        "root": {"path": str(place.root), "readonly": True},
        "process": process(
            command_line(order),
            order.env,
            uid=place.uid,
            nofile_hard=place.nofile_hard,
            tty=order.tty,
            columns=order.columns,
            lines=order.lines,
        )
        | {"oomScoreAdj": _BUILD_OOM_SCORE if order.kind is DynoKind.BUILD else _DYNO_OOM_SCORE},
        "mounts": _mounts(place),
        "linux": {
            "cgroupsPath": place.cgroup,
            "namespaces": [
                *({"type": kind} for kind in ("pid", "mount", "uts", "ipc", "cgroup")),
                {"type": "network", "path": place.network},
            ],
            "resources": _resources(order, place),
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
            "seccomp": seccomp.profile(),
            "rootfsPropagation": "private",
        },
    }


def command_line(order: DynoOrder) -> list[str]:
    """What runs as process 1: an init that reaps, above bash, above the command.

    A build's command is run as it is; a dyno's after the profile scripts, so that they can change the environment.
    """
    if order.kind is DynoKind.BUILD:
        return [INIT, "--", "/bin/bash", "-c", order.command]
    return [INIT, "--", "/bin/bash", "-c", _START, "bash", order.command]


def process(
    arguments: Sequence[str],
    env: Any,
    *,
    uid: int,
    nofile_hard: int,
    tty: bool,
    columns: int,
    lines: int,
) -> dict[str, Any]:
    """The `process` part, also for a command inside a running dyno."""
    wanted: dict[str, Any] = {
        "terminal": tty,
        "user": {"uid": uid, "gid": uid, "umask": 0o022},
        "args": list(arguments),
        "env": [f"{key}={value}" for key, value in env.items()],
        "cwd": "/app",
        "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")},
        "noNewPrivileges": True,
        "rlimits": [
            {"type": "RLIMIT_NOFILE", "soft": min(NOFILE, nofile_hard), "hard": nofile_hard},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        ],
    }
    if tty:
        wanted["consoleSize"] = {"width": columns, "height": lines}
    return wanted


def _resources(order: DynoOrder, place: Place) -> dict[str, Any]:
    killed_at_bytes = int(order.memory_bytes * MEMORY_KILL_RATIO)
    resources: dict[str, Any] = {
        "memory": {"limit": killed_at_bytes} | ({"swap": killed_at_bytes} if place.has_swap_limit else {}),
        "cpu": {"shares": order.cpu_shares},
        "pids": {"limit": order.pids},
        "devices": [{"allow": False, "access": "rwm"}],
    }
    if place.has_unified_cgroups:
        resources["unified"] = {"memory.oom.group": "1"}
    return resources


def _mounts(place: Place) -> list[dict[str, Any]]:
    quiet = ["nosuid", "noexec", "nodev"]
    mounts = [
        _mount("proc", "proc", "/proc", quiet),
        _mount("tmpfs", "tmpfs", "/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("devpts", "devpts", "/dev/pts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        _mount("tmpfs", "shm", "/dev/shm", [*quiet, "mode=1777", f"size={64 * MIB}"]),
        _mount("sysfs", "sysfs", "/sys", [*quiet, "ro"]),
        _app(place),
        _mount("bind", str(place.disk / "tmp"), "/tmp", ["bind", "nosuid", "nodev"]),
        _mount("bind", str(place.disk / "var_tmp"), "/var/tmp", ["bind", "nosuid", "nodev"]),
    ]
    for source, target, writable in place.binds:
        mounts.append(_mount("bind", source, target, ["bind", "nosuid", "nodev", "rw" if writable else "ro"]))
    return mounts


def _app(place: Place) -> dict[str, Any]:
    if place.lower is None:
        return _mount("bind", str(place.disk / "app"), "/app", ["bind", "nosuid", "nodev"])
    layers = [f"lowerdir={place.lower}", f"upperdir={place.disk / 'app'}", f"workdir={place.disk / 'work'}"]
    return _mount("overlay", "overlay", "/app", ["nosuid", "nodev", *layers])


def _mount(kind: str, source: str, target: str, options: list[str]) -> dict[str, Any]:
    return {"type": kind, "source": source, "destination": target, "options": options}
