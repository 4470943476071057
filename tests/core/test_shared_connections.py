"""How databases share the connections of a server."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from senryu.core.database import Access, Usage
from senryu.core.shared_connections import connection_limits

ROOM = 1000


def _limits(*held: tuple[int, int, int]) -> list[int]:
    """By what is held, the limit now and what the plan promises."""
    ids = [uuid4() for _ in held]
    usages = {id: Usage(0, taken, limit) for id, (taken, limit, _) in zip(ids, held, strict=True)}
    found = connection_limits(usages, {id: promise for id, (_, _, promise) in zip(ids, held, strict=True)}, ROOM)
    return [found[id] for id in ids]


def test_a_server_with_room_gives_what_plans_promise() -> None:
    assert _limits((20, 20, 20), (400, 400, 400), (0, 120, 120)) == [20, 400, 120]


def test_who_holds_most_of_a_crowded_server_makes_room_for_those_who_hold_few() -> None:
    limits = _limits((400, 400, 400), (400, 400, 400), (110, 120, 120), (3, 20, 20))
    assert limits == [318, 318, 120, 20]  # 750 less 110 less 3, by two


def test_many_full_databases_leave_a_share_to_each() -> None:
    assert _limits(*[(20, 20, 20)] * 50) == [15] * 50
    assert _limits(*[(1, 20, 20)] * 1000) == [1] * 1000


def test_limits_that_were_lowered_stay_until_there_is_much_room_again() -> None:
    assert _limits(*[(15, 15, 20)] * 50) == [15] * 50  # 750 taken: what they would want is still too much
    assert _limits(*[(15, 15, 20)] * 30, *[(0, 15, 20)] * 20) == [20] * 50


def test_a_locked_database_stays_locked() -> None:
    id = uuid4()
    assert connection_limits({id: Usage(0, 0, 0, Access.LOCKED)}, {id: 20}, ROOM) == {}


_HELD = st.lists(st.tuples(st.integers(0, 400), st.sampled_from([20, 40, 120, 400])), min_size=1, max_size=60)


@given(_HELD)
def test_nobody_is_left_without_and_nobody_gets_more_than_promised(held: list[tuple[int, int]]) -> None:
    ids = [UUID(int=number) for number in range(len(held))]
    usages = {id: Usage(0, min(taken, promise), promise) for id, (taken, promise) in zip(ids, held, strict=True)}
    promised = {id: promise for id, (_, promise) in zip(ids, held, strict=True)}
    found = connection_limits(usages, promised, ROOM)
    assert all(1 <= found[id] <= promised[id] for id in ids)
    assert sum(min(usage.connections, found[id]) for id, usage in usages.items()) <= ROOM * 9 // 10
