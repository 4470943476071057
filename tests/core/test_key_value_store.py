"""Which stores a dyno may reach, and what is shown of one."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from senryu.core.add_on import AddOn, AddOnState, Plan
from senryu.core.key_value_store import PORTS, SERVICE, info_rows, ports_in, settings_shown

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_a_dyno_may_reach_the_stores_of_its_apps_add_ons_and_no_other_ports() -> None:
    attached = {
        "REDIS_URL": "rediss://:p@10.64.0.1:20001",
        "QUEUE_URL": "rediss://:p@10.64.0.1:20007",
        "AGAIN_URL": "rediss://:other@10.64.0.1:20001",
        "DATABASE_URL": "postgres://u:p@10.64.0.1:20003/d",
        "LOW_URL": "rediss://:p@10.64.0.1:22",
        "ODD_URL": "rediss://:p@10.64.0.1:x",
        "NONE_URL": "rediss://",
    }
    assert ports_in(attached) == (20_001, 20_007)
    assert ports_in({}) == ()
    assert PORTS.start > 1024 and PORTS.stop < 32_768  # below those that the kernel gives to connections


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
