"""Which addresses the platform may connect to for a user."""

from __future__ import annotations

import pytest

from senryu.core.address import checked_address, is_lan_address, is_public
from senryu.core.errors import Invalid

PRIVATE = """
127.0.0.1 127.8.9.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200 0.0.0.0 0.1.2.3 192.0.0.8 192.0.2.1
198.18.0.1 224.0.0.1 239.1.2.3 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 ff02::1 fec0::1
::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a00:1 2002:7f00:1::
2002:a9fe:a9fe:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 localhost
""".split()


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_leads_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


def test_a_lan_address_is_private_and_not_of_the_dynos_network() -> None:
    inside = ("192.168.1.10", "10.0.0.5", "172.31.255.1", "100.100.3.4", "10.63.255.255", "10.96.0.1")
    assert [address for address in inside if not is_lan_address(address)] == []
    others = ("10.64.0.1", "10.95.255.255", "127.0.0.1", "169.254.1.1", "8.8.8.8", "fd00::1", "lan")
    assert [address for address in others if is_lan_address(address)] == []


def test_one_private_address_among_public_ones_spoils_them_all() -> None:
    for addresses in (["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], []):
        with pytest.raises(Invalid, match="private network"):
            checked_address(addresses, 443, what="the drain")
    assert checked_address(["8.8.8.8", "9.9.9.9"], 443, what="the drain") == "8.8.8.8"


@pytest.mark.parametrize("port", [22, 25, 445, 1, 1023])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(Invalid, match=f"port {port}"):
        checked_address(["8.8.8.8"], port, what="the drain")


def test_an_operator_who_allows_private_addresses_gets_them_and_their_ports() -> None:
    assert checked_address(["127.0.0.1"], 25, what="the drain", allow_private=True) == "127.0.0.1"
