"""Removes everything a home has outside SENRYU_HOME, and its dynos."""

from __future__ import annotations

import os
import shutil
from uuid import UUID

from senryu.core.limits import AGENT_TIMEOUT_S

from . import cgroup, data, launch, lot, network, record, shim
from . import home as homes
from .cgroup import Cgroup
from .home import Home
from .lot import Lot


def clean(home: Home, user: str) -> None:
    """Ends dynos and data servers, removes cables, rules, control groups, forwarding and the lot. Does nothing when there is nothing.

    Raises: Unavailable while an agent runs for this home.
    """
    our_lot = lot.recorded(home.agent) if home.agent.is_dir() else None
    if our_lot is None:
        return
    lock = homes.only_agent(home)
    try:
        _end_dynos(home, our_lot)
        data.stop_all(home, our_lot, user)
        if lot.hold(our_lot, home.root):  # else another home has drawn the number since, and what carries it is not ours
            _give_back(our_lot)
        for directory in (home.disks, home.runtime):
            shutil.rmtree(directory, ignore_errors=True)
        home.socket.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _give_back(our_lot: Lot) -> None:
    cgroup.end_shims(our_lot)
    for group in (our_lot.cgroup, our_lot.shims_cgroup):
        cgroup.remove_group(f"/{group}")
    lot.release(our_lot, lambda is_last: network.take_down(our_lot, is_last=is_last))


def forget_owners(home: Home) -> None:
    """After another lot was drawn: what the former user ids own is of no use. Slugs are unpacked again when needed."""
    shutil.rmtree(home.slugs, ignore_errors=True)
    homes.prepare(home)


def _end_dynos(home: Home, our_lot: Lot) -> None:
    for directory in home.records.iterdir() if home.records.is_dir() else ():
        dyno_id = UUID(directory.name)
        kept = record.read(directory)
        if kept is None:
            shim.end_stray(home, dyno_id)  # first: a container that is still being made would come after its group was emptied
        Cgroup(our_lot, dyno_id).kill(AGENT_TIMEOUT_S)
        shim.delete(home, dyno_id)
        if kept is not None:
            record.await_end(kept.shim_pid, kept.shim_birth, AGENT_TIMEOUT_S)
        launch.discard(home, dyno_id)
