"""What dynos are told of the router, and what the firewall is."""

from __future__ import annotations

import pytest

from senryu.agent import firewall
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


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("0.0.0.0", ""),
        ("::", ""),
        ("203.0.113.7", "ip daddr 203.0.113.7 "),
        ("", None),
        ("127.0.0.1", None),
        ("192.168.1.5", None),
        ("100.64.0.9", None),
        ("2001:db8::7", None),
        ("nonsense; accept", None),
    ],
)
def test_dynos_visit_the_router_where_the_internet_finds_it_and_nowhere_else(address: str, where: str | None) -> None:
    text = firewall.script(Lot(3), [], Front("objects.localhost", (80, 443), address))
    rules = [line.strip() for line in text.splitlines() if "fib daddr type local" in line]
    ours = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 224.0.0.0/3"
    wanted = f"{where}fib daddr type local ip daddr != {{ {ours} }} tcp dport {{ 80, 443 }} jump visiting"
    assert rules == ([] if where is None else [wanted])
    assert "nonsense" not in text


@pytest.mark.parametrize(
    ("address", "lan_address", "is_open"),
    [
        ("0.0.0.0", "192.168.1.5", True),
        ("192.168.1.5", "192.168.1.5", True),
        ("::", "100.100.3.4", True),
        ("192.168.1.6", "192.168.1.5", False),
        ("", "192.168.1.5", False),
        ("0.0.0.0", "10.64.0.1", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("0.0.0.0", "192.168.1.5; accept", False),
    ],
)
def test_dynos_visit_the_router_at_the_private_address_that_the_operator_names(address: str, lan_address: str, is_open: bool) -> None:
    text = firewall.script(Lot(3), [], Front("objects.localhost", (80, 443), address, lan_address))
    rule = f"    ip daddr {lan_address} fib daddr type local tcp dport {{ 80, 443 }} jump visiting\n"
    assert (rule in text, lan_address in text) == (is_open, is_open)


def test_visits_count_for_each_dyno_alone_and_with_its_other_connections() -> None:
    assert "fib daddr type local" not in firewall.script(Lot(3), [])
    assert "fib daddr type local" not in firewall.script(Lot(3), [], Front("objects.localhost", (), "0.0.0.0"))
    text = firewall.script(Lot(3), [], Front("objects.localhost", (80, 443), "0.0.0.0"))
    chain = text.partition("chain visiting {")[2].partition("}\n  chain")[0]
    assert "ct state new add @visits { ip saddr ct count over 256 } reject with tcp reset" in chain
    assert "ct state new add @connections { ip saddr ct count over 2048 } drop" in chain
    to_host = text.partition("chain to_host {")[2].partition("}\n  chain")[0]
    assert to_host.rstrip().endswith("jump visiting\n    drop")
