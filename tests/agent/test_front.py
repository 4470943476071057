"""What dynos are told of the router, and what the firewall is."""

from __future__ import annotations

import pytest

from senryu.agent.front import Front, hosts_lines, leading
from senryu.agent.lot import Lot

BUCKET = "senryu-0123456789abcdef0123"


def test_a_dyno_finds_object_storage_and_its_own_buckets_at_the_gateway() -> None:
    front = Front("objects.localhost", (8080, 8443))
    lines = hosts_lines(front, "10.64.0.1", [BUCKET])
    assert lines == f"10.64.0.1\tobjects.localhost\n10.64.0.1\t{BUCKET}.objects.localhost\n"
    assert hosts_lines(None, "10.64.0.1", [BUCKET]) == ""


@pytest.mark.parametrize(
    ("address", "target"), [("", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("203.0.113.7", "203.0.113.7"), ("0.0.0.0", ""), ("::", "")]
)
def test_connections_to_the_gateway_are_led_to_where_the_router_listens(address: str, target: str) -> None:
    text = leading(Lot(3), Front("objects.localhost", (80, 443), address))
    assert ("dnat ip to" in text) == bool(target)
    to = f"ip daddr {Lot(3).gateway} ip saddr . tcp dport @grants tcp dport {{ 80, 443 }} dnat ip to {target}\n"
    assert (to in text) == bool(target)
