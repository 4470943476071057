"""Which stores a dyno may reach, and what is shown of one."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from senryu.core.add_on import AddOn, AddOnState, Plan
from senryu.core.key_value_store import SERVICE, info_rows, settings_shown

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_what_is_shown_is_of_the_plan_and_of_the_server() -> None:
    add_on = AddOn(uuid4(), uuid4(), "cache", SERVICE, "mini", AddOnState.PROVISIONED, NOW, NOW)
    plan = Plan(SERVICE, "mini", "Mini", 300, {"bytes": 25 * 2**20, "connections": 20, "durable": 0})
    state = {"redis_version": "7.0.15", "used_memory": str(5 * 2**20), "connected_clients": "4", "timeout": "300", "loading": "0"}
    rows = dict(info_rows(add_on, plan, state))
    assert (rows["Plan"], rows["Status"], rows["Persistence"]) == (["Mini"], ["available"], ["None"])
    assert (rows["Connections"], rows["Memory"]) == (["3/20"], ["5.0/25 MB"])
    assert dict(info_rows(add_on, plan, {**state, "loading": "1"}))["Status"] == ["loading"]
    assert settings_shown({"timeout": "60", "maxmemory-policy": "noeviction", "notify-keyspace-events": ""})["timeout"] == {
        "value": 60,
        "values": {},
    }
