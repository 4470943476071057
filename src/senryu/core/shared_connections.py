"""How databases share the connections of their server when they want more together than it has. Pure.

Plans promise more than the server has, as most databases use few of theirs. What is promised counts until nine tenths are taken; from
then on whoever holds most gets least more (max-min fairness), so that a quarter is free for those who hold few.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from .database import Access, Usage

_CROWDED_TENTHS, _ROOMY_TENTHS = 9, 6


def connection_limits(usages: Mapping[UUID, Usage], promised: Mapping[UUID, int], room: int) -> Mapping[UUID, int]:
    """How many connections each open database may hold, by what is used now; `room` is what the server has for all."""
    lent = {id: usage for id, usage in usages.items() if usage.access is not Access.LOCKED}
    taken = sum(usage.connections for usage in lent.values())
    are_lowered = any(usage.connections_max < promised[id] for id, usage in lent.items())
    if taken * 10 < room * (_ROOMY_TENTHS if are_lowered else _CROWDED_TENTHS):
        return {id: promised[id] for id in lent}
    # Who is at the limit would take what was promised.
    wanted = {id: promised[id] if usage.connections >= usage.connections_max else usage.connections for id, usage in lent.items()}
    level = _level(sorted(wanted.values()), room * 3 // 4)
    return {id: min(promised[id], level) for id in lent}


def _level(wanted: list[int], room: int) -> int:
    """The largest limit, the same for all, with which no more than `room` are taken; at least one."""
    left = room
    for index, each in enumerate(wanted):
        share = left // (len(wanted) - index)
        if each > share:
            return max(1, share)
        left -= each
    return max(1, wanted[-1])
