"""Whether an order is one the agent carries out. Pure; the agent believes nothing senryud says."""

from __future__ import annotations

import posixpath
import re

from senryu.core.dyno import DynoKind, DynoOrder
from senryu.core.errors import Invalid
from senryu.core.limits import GIB, MIB
from senryu.core.object_store import BUCKET, BUCKETS_PER_ORDER_MAX
from senryu.core.reach import may_be_reached

_SLUG = re.compile(r"[0-9a-f]{64}")
_STACK = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,80}")
_ENV_MAX_BYTES = 1 * MIB
_COMMAND_MAX_BYTES = 128 * 1024 - 1  # execve(2): one argument
_MOUNTS_MAX = 16
_PORTS_MAX = 256
_NOT_OVER = ("/proc", "/sys", "/dev", "/etc", "/usr", "/run")
_NOT_AT = ("/", "/app", "/tmp", "/var", "/var/tmp")
_RANGES = {
    "memory_bytes": (4 * MIB, 1024 * GIB),
    "cpu_shares": (2, 262_144),
    "pids": (8, 1_000_000),
    "disk_bytes": (16 * MIB, 1024 * GIB),
    "port": (0, 65_535),
    "columns": (1, 65_535),
    "lines": (1, 65_535),
}


def check(order: DynoOrder) -> None:
    """Raises: Invalid, naming what is wrong with the order."""
    _require(_NAME.fullmatch(order.name) is not None, "name")
    _require(_NAME.fullmatch(order.app_name) is not None, "app_name")
    _require(order.slug is None or _SLUG.fullmatch(order.slug) is not None, "slug")
    _require(is_stack_name(order.stack), "stack")
    for field in _RANGES:
        _check_range(field, getattr(order, field))
    _require(len(order.mounts) <= _MOUNTS_MAX, "mounts")
    check_command(order.command, dict(order.env))
    _require(not order.mounts or order.kind is DynoKind.BUILD, "mounts")
    _require(len(order.reaches) <= _PORTS_MAX and all(may_be_reached(port) for port in order.reaches), "reaches")
    _require(len(order.buckets) <= BUCKETS_PER_ORDER_MAX and all(BUCKET.match(bucket) for bucket in order.buckets), "buckets")
    for mount in order.mounts:
        _require(mount.source.startswith("/") and ".." not in mount.source.split("/"), "mounts")
        _require(is_mount_target(mount.target), "mounts")


def check_terminal(columns: int, lines: int) -> None:
    """Raises: Invalid when no terminal has that size."""
    _check_range("columns", columns)
    _check_range("lines", lines)


def check_command(command: str, env: dict[str, str]) -> None:
    """Raises: Invalid when a command or environment cannot be given to a program."""
    _require("\0" not in command and len(command.encode()) <= _COMMAND_MAX_BYTES, "command")
    size = 0
    for key, value in env.items():
        _require(key != "" and "=" not in key and "\0" not in key and "\0" not in value, "env")
        one = len(key.encode(errors="replace")) + len(value.encode(errors="replace")) + 2
        _require(one <= _COMMAND_MAX_BYTES, "env")
        size += one
    _require(size <= _ENV_MAX_BYTES, "env")


def is_stack_name(name: str) -> bool:
    """Whether `name` can name a stack."""
    return _STACK.fullmatch(name) is not None and ".." not in name


def is_mount_target(target: str) -> bool:
    """Whether something may be mounted at `target` in a build container."""
    plain = target.startswith("/") and not target.startswith("//") and posixpath.normpath(target) == target and target not in _NOT_AT
    return plain and not any(target == place or target.startswith(place + "/") for place in _NOT_OVER)


def _check_range(field: str, value: int) -> None:
    least, most = _RANGES[field]
    _require(least <= value <= most, field)


def _require(holds: bool, field: str) -> None:
    if not holds:
        raise Invalid(f"The dyno cannot be started: its `{field}` is not acceptable.")
