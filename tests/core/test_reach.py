"""Which data servers an app may knock at."""

from __future__ import annotations

import pytest

from senryu.core.key_value_store import PORTS
from senryu.core.reach import may_be_reached, reached_ports


def test_a_dyno_may_reach_the_stores_of_its_apps_add_ons_and_no_other_ports() -> None:
    attached = {
        "REDIS_URL": "rediss://:p@10.64.0.1:20001",
        "QUEUE_URL": "rediss://:p@10.64.0.1:20007",
        "AGAIN_URL": "rediss://:other@10.64.0.1:20001",
        "LOW_URL": "rediss://:p@10.64.0.1:22",
        "ODD_URL": "rediss://:p@10.64.0.1:x",
        "NONE_URL": "rediss://",
    }
    assert reached_ports(attached, attached) == (20_001, 20_007)
    assert reached_ports({}, {}) == ()
    assert PORTS.start > 1024 and PORTS.stop < 32_768  # below those that the kernel gives to connections


def test_a_stores_url_that_was_copied_by_hand_leads_nowhere() -> None:
    assert reached_ports({"REDIS_URL": "rediss://:p@10.64.0.1:20001"}, {}) == ()


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ("postgres://u:p@10.64.0.1:5432/d", 5432),
        ("postgres://u:p@10.64.0.1:5433/d?sslmode=require", 5433),
        ("postgresql+psycopg://u:p@10.64.0.1/d", 5432),
        ("jdbc:postgresql://10.64.0.1:5432/d?user=u&password=p", 5432),
        ("postgres://u:p@10.64.0.1:20001/d", 5432),
        ("postgres://u:p@db.example.com:6432/d", 5432),
        ("mysql://u:p@10.64.0.1:5432/d", None),
        ("5432", None),
        ("postgres://", None),
    ],
)
def test_whoever_has_a_databases_url_may_reach_its_server(value: str, port: int | None) -> None:
    assert reached_ports({"ANY": value}, {}) == (() if port is None else (port,))


def test_no_dyno_is_let_through_to_other_ports() -> None:
    assert [port for port in range(65_536) if may_be_reached(port)] == [5432, 5433, *PORTS]
