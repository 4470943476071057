"""Starts one dyno: disk, slug, network, bundle, container. Blocking; runs in a thread of the agent's."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from senryu.core.dyno import DynoOrder, Mount
from senryu.core.errors import Invalid
from senryu.core.reach import DATABASE_PORT

from . import bundle, cgroup, failure, mounts, network, record, shim, stack
from .disk import Disks
from .firewall import Database
from .front import Front, hosts_lines
from .home import Home
from .lot import Lot

_CLOSED_TO_MOUNTS = {"agent", "run"}


@dataclass(frozen=True, slots=True)
class Site:
    """What all dynos of an agent share. `buildpacks` is the directory of the built-in ones."""

    home: Home
    lot: Lot
    disks: Disks
    resolvers: tuple[str, ...]
    buildpacks: Path
    front: Front | None = None
    database: Database | None = None


def launch(order: DynoOrder, index: int, slug: Path | None, site: Site) -> record.Record:
    """Starts the dyno of `order` with the `index`th address; one with stdin is made ready only. Leaves nothing behind when it fails.

    Raises: Invalid; Unavailable, also when the disk is full.
    """
    with failure.told("The dyno could not be started"), cgroup.ready_to_move(cgroup.Cgroup(site.lot, order.id).pids):
        return _launched(order, index, slug, site)


def _launched(order: DynoOrder, index: int, slug: Path | None, site: Site) -> record.Record:
    home, lot = site.home, site.lot
    directory = home.dyno(order.id)
    namespace = network.cable(lot, index)
    with ExitStack() as undo, ExitStack() as temporary:
        undo.callback(network.uncable, lot, index)
        reaches = _reached(order, site)
        granted = network.granting(lot, index, reaches)
        undo.callback(network.revoke, lot, index, reaches)
        undo.callback(_settled, granted)
        undo.callback(discard, home, order.id)
        temporary.callback(lambda: os.close(namespace()))
        _make_directories(home, order.id)
        place = _place(order, index, slug, site, temporary)
        place = replace(place, network=f"/proc/{os.getpid()}/fd/{namespace()}")
        configuration = bundle.configuration(order, place)
        record.replace(directory / "config.json", json.dumps(configuration).encode())
        undo.callback(shim.delete, home, order.id)
        shim_pid, init_pid = shim.create(home, order.id, tty=order.tty, stdin=order.stdin)
        granted()
        if not order.stdin:
            shim.start(home, order.id)
        (directory / "config.json").unlink()  # it holds the environment
        launched = _recorded(order, index, shim_pid, init_pid, reaches)
        record.write(directory, launched)
        undo.pop_all()
    return launched


def _reached(order: DynoOrder, site: Site) -> tuple[int, ...]:
    """The ports it is let through to: data servers' of this machine, the router's for its buckets, that of the operator's own database."""
    router = site.front.ports if site.front is not None and order.buckets else ()
    database = (site.database.port,) if site.database is not None and DATABASE_PORT in order.reaches else ()
    return tuple(dict.fromkeys((*order.reaches, *router, *database)))


def _settled(work: Callable[[], None]) -> None:
    """Waits for what is being undone."""
    with contextlib.suppress(Exception):
        work()


def discard(home: Home, dyno_id: UUID) -> None:
    """Deletes a dyno's directories. Its container must be gone."""
    shutil.rmtree(home.dyno(dyno_id), ignore_errors=True)
    shutil.rmtree(home.output(dyno_id), ignore_errors=True)


def connect_stdio(home: Home, dyno_id: UUID) -> socket.socket:
    """A connection to conmon's attach socket. Raises: OSError when there is none."""
    directory = os.open(home.dyno(dyno_id), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(f"/proc/self/fd/{directory}/attach")  # the whole path may be longer than unix(7) allows
    except OSError:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection


def _make_directories(home: Home, dyno_id: UUID) -> None:
    home.dyno(dyno_id).mkdir(mode=0o700)
    output = home.output(dyno_id)
    output.mkdir(mode=0o750)
    os.chown(output, 0, home.gid)


def _place(order: DynoOrder, index: int, slug: Path | None, site: Site, temporary: ExitStack) -> bundle.Place:
    """Mounts what the dyno is made of, for as long as `temporary` is open: the container keeps its own copies."""
    home, lot = site.home, site.lot
    directory = home.dyno(order.id)
    uid = lot.uid(index)
    hosts = hosts_lines(site.front, lot.gateway, order.buckets)
    identity = stack.Identity(uid, str(order.id), lot.address(index), site.resolvers, hosts)
    disk = directory / "disk"
    (disk / "rootfs").mkdir(parents=True)  # below the disk, for `runc exec`, which begins in the root's place
    site.disks.mount(order.disk_bytes, disk)
    temporary.callback(mounts.unmount, disk)
    _lay_out(disk, uid)
    # On the new disk, not in the home: a file system without a journal is slow to give what was given back in the last minutes (0112).
    root, binds = stack.prepare_root(order, identity, disk, home)
    if order.stack != stack.HOST:
        _mount_over_stack(home.stacks / order.stack / "rootfs", root, disk)
        temporary.callback(mounts.unmount, root)
    lower = None
    if slug is not None:
        lower = directory / "lower"
        lower.mkdir()
        _mount_slug(slug, lower, lot.slug_uid, uid)
        temporary.callback(mounts.unmount, lower)
    binds += _ordered_mounts(order, uid, site, temporary)
    return bundle.Place(
        root=root,
        disk=disk,
        lower=lower,
        uid=uid,
        hostname=str(order.id),
        cgroup=cgroup.Cgroup(lot, order.id).path,
        network="",
        nofile_hard=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        binds=binds,
        has_unified_cgroups=cgroup.is_v2(),
        has_swap_limit=cgroup.has_swap_limit(),
    )


def _lay_out(disk: Path, uid: int) -> None:
    for name, mode in (("app", 0o755), ("tmp", 0o1777), ("var_tmp", 0o1777)):
        (disk / name).mkdir()
        os.chown(disk / name, uid, uid)
        (disk / name).chmod(mode)
    for name in ("work", "root", "root_work"):
        (disk / name).mkdir(mode=0o755)


def _mount_over_stack(rootfs: Path, root: Path, disk: Path) -> None:
    # A layer of the dyno's own, so that mount points can be made without touching the stack.
    layers = f"lowerdir={rootfs},upperdir={disk / 'root'},workdir={disk / 'root_work'}"
    mounts.mount("overlay", root, "overlay", layers)


def _mount_slug(slug: Path, target: Path, owner: int, uid: int) -> None:
    ids = mounts.translated_ids([(owner, uid)], [(owner, uid)])
    try:
        files = os.open(slug, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            mounts.bind(files, target, writable=False, ids=ids)
        finally:
            os.close(files)
    finally:
        os.close(ids)


def _ordered_mounts(order: DynoOrder, uid: int, site: Site, temporary: ExitStack) -> list[tuple[str, str, bool]]:
    if not order.mounts:
        return []
    ids = mounts.translated_ids([(site.home.uid, uid)], [(site.home.gid, uid)])
    binds = []
    try:
        for number, wanted in enumerate(order.mounts):
            target = site.home.dyno(order.id) / f"mount{number}"
            target.mkdir()
            directory, is_ours = open_source(wanted, site)
            try:
                mounts.bind(directory, target, writable=wanted.writable, ids=ids if is_ours else None)
            finally:
                os.close(directory)
            temporary.callback(mounts.unmount, target)
            binds.append((str(target), wanted.target, wanted.writable))
    finally:
        os.close(ids)
    return binds


def open_source(wanted: Mount, site: Site) -> tuple[int, bool]:
    """Opens the directory of a mount; and says whether it is senryud's (else a built-in buildpack).

    Raises: Invalid when it is neither, or a symlink leads to it.
    """
    source = Path(wanted.source)
    for root, is_ours in ((site.home.root, True), (site.buildpacks, False)):
        if not source.is_relative_to(root):
            continue
        inside = source.relative_to(root)
        if is_ours and (not inside.parts or inside.parts[0] in _CLOSED_TO_MOUNTS):
            break
        if wanted.writable and not is_ours:
            break
        with contextlib.suppress(OSError):
            return mounts.open_beneath(root, str(inside), os.O_PATH | os.O_DIRECTORY), is_ours
    raise Invalid(f"`{wanted.source}` cannot be mounted: it is not a plain directory below SENRYU_HOME.")


def _recorded(order: DynoOrder, index: int, shim_pid: int, init_pid: int, reaches: tuple[int, ...]) -> record.Record:
    return record.Record(
        id=order.id,
        app_id=order.app_id,
        app_name=order.app_name,
        name=order.name,
        kind=order.kind,
        slug=order.slug,
        port=order.port,
        tty=order.tty,
        stdin=order.stdin,
        columns=order.columns,
        lines=order.lines,
        index=index,
        started_at=record.now(),
        boot=record.boot_id(),
        shim_pid=shim_pid,
        shim_birth=record.birth(shim_pid) or 0,
        init_pid=init_pid,
        init_birth=record.birth(init_pid) or 0,
        reaches=reaches,
    )
