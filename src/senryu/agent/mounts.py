"""mount(2) and its newer relatives, which the standard library does not have.

Source: mount(2), open_tree(2), mount_setattr(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2), openat2(2), user_namespaces(7). The
numbers of the syscalls added since 2019 are the same on all architectures.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
from collections.abc import Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOSED_ON_EXEC = 1  # for fsopen and fsmount
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6
_NOATIME = 0x10
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x02, 0x04, 0x08
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
RDONLY, NOSUID, NODEV, _IDMAP = 0x1, 0x2, 0x4, 0x00100000
_MS_REC, _MS_SLAVE, _MS_NOATIME = 0x4000, 0x80000, 0x400
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def private_mounts() -> None:
    """Gives this process a mount table of its own, so that the host's stays clean and a killed agent leaves no mounts."""
    _checked(_libc.unshare(_CLONE_NEWNS), "unshare")
    _checked(_libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None), "mount")


def adopt_orphans() -> None:
    """Makes this process the parent of its descendants whose own parent ended, so that it learns their exit status."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def new_network_namespace() -> None:
    """Moves the calling thread into a network namespace of its own."""
    _checked(_libc.unshare(_CLONE_NEWNET), "unshare")


def enter_network_namespace(namespace: int) -> None:
    """Moves the calling thread into an open network namespace."""
    _checked(_libc.setns(namespace, _CLONE_NEWNET), "setns")


def mount(source: str, target: Path, kind: str, options: str = "") -> None:
    """mount(2) with nosuid and nodev."""
    flags = NOSUID | NODEV | _MS_NOATIME
    done = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode() or None)
    _checked(done, f"mount {target}")


def detached(source: str, kind: str, flag: str) -> int:
    """A file system as an open mount, nosuid and nodev: on no mount table yet, it ends with its last file. Raises: OSError."""
    context = _checked(_libc.syscall(_FSOPEN, kind.encode(), _CLOSED_ON_EXEC), f"fsopen {kind}")
    try:
        for command, key, value in ((_SET_STRING, b"source", source.encode()), (_SET_FLAG, flag.encode(), None), (_CREATE, None, None)):
            _checked(_libc.syscall(_FSCONFIG, context, command, key, value, 0), f"fsconfig {source}")
        return _checked(_libc.syscall(_FSMOUNT, context, _CLOSED_ON_EXEC, NOSUID | NODEV | _NOATIME), f"fsmount {source}")
    finally:
        os.close(context)


def attach(mounted: int, target: Path) -> None:
    """Puts an open mount on `target`. Raises: OSError."""
    _checked(_libc.syscall(_MOVE_MOUNT, mounted, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH), f"move_mount {target}")


def unmount(target: Path) -> None:
    """Takes `target` off the mount table at once; what still uses it keeps it. Nothing when it is not mounted."""
    _libc.umount2(os.fsencode(target), _MNT_DETACH)


def open_beneath(root: Path, path: str, flags: int = os.O_PATH) -> int:
    """Opens `path` (relative) below `root`, refusing symlinks and `..` on the way. Raises: OSError."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS)
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _checked(_libc.syscall(_OPENAT2, directory, os.fsencode(path), how, len(how)), path)
    finally:
        os.close(directory)


def bind(directory: int, target: Path, *, writable: bool, ids: int | None) -> None:
    """Mounts the open `directory` on `target`, nosuid and nodev, its owners translated by the user namespace `ids`."""
    tree = _checked(_libc.syscall(_OPEN_TREE, directory, b"", _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_EMPTY_PATH), "open_tree")
    try:
        wanted = NOSUID | NODEV | (0 if writable else RDONLY) | (0 if ids is None else _IDMAP)
        attributes = struct.pack("QQQQ", wanted, 0, 0, 0 if ids is None else ids)
        _checked(_libc.syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, len(attributes)), "mount_setattr")
        attach(tree, target)
    finally:
        os.close(tree)


def translated_ids(users: Sequence[tuple[int, int]], groups: Sequence[tuple[int, int]]) -> int:
    """A user namespace (open file) that shows files owned by uid (or gid) `a` as owned by `b`, for each pair (a, b).

    Made by a short-lived child, because a process with threads cannot enter one itself.
    """
    ready_read, ready_write = os.pipe()
    stay_read, stay_write = os.pipe()
    child = os.fork()
    if child == 0:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        failed = _libc.unshare(_CLONE_NEWUSER)
        os.write(ready_write, b"e" if failed else b"k")
        os.close(stay_write)
        os.read(stay_read, 1)
        os._exit(0)
    os.close(ready_write)
    os.close(stay_read)
    try:
        if os.read(ready_read, 1) != b"k":
            raise OSError("user namespaces are not available on this machine")
        for name, pairs in (("uid_map", users), ("gid_map", groups)):
            mapping = "".join(f"{inside} {outside} 1\n" for inside, outside in pairs)
            Path(f"/proc/{child}/{name}").write_text(mapping)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        with contextlib.suppress(BrokenPipeError):
            os.write(stay_write, b"x")  # not by closing it: children made at the same moment have a copy, and would wait for one another
        os.close(stay_write)
        os.close(ready_read)
        os.waitpid(child, 0)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return int(result)
