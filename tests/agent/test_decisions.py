"""What the agent decides without touching the machine."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from senryu.agent import bundle, firewall, forwarding, order, protocol
from senryu.agent.listening import Listening, elsewhere, judged
from senryu.agent.lot import DYNOS_MAX, Lot
from senryu.core.dyno import BASE_ENV, DynoKind, DynoOrder, Mount
from senryu.core.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from senryu.core.limits import MIB

ORDER = DynoOrder(
    id=uuid4(),
    app_id=uuid4(),
    app_name="quiet-river-1234",
    name="web.1",
    kind=DynoKind.FORMATION,
    command='echo "$PORT" \'; rm -rf /',
    env={**BASE_ENV, "SECRET": "a=b\nc"},
    slug="a" * 64,
    stack="host",
    memory_bytes=512 * MIB,
    cpu_shares=1024,
    pids=256,
    disk_bytes=64 * MIB,
    port=5000,
)
PLACE = bundle.Place(
    root=Path("/h/root"),
    disk=Path("/h/disk"),
    lower=Path("/h/lower"),
    uid=2_000_005,
    hostname="name",
    cgroup="/senryu-0/id",
    network="/proc/1/fd/9",
    nofile_hard=4096,
    binds=[("/usr", "/usr", False), ("/h/mount0", "/cache", True)],
    has_unified_cgroups=False,
    has_swap_limit=True,
)


def test_an_order_becomes_a_container_without_rights_over_anything() -> None:
    wanted = bundle.configuration(ORDER, PLACE)
    process = wanted["process"]
    assert process["user"] == {"uid": 2_000_005, "gid": 2_000_005, "umask": 0o022}
    assert not any(process["capabilities"].values())
    assert process["noNewPrivileges"] and wanted["root"]["readonly"]
    assert {space["type"] for space in wanted["linux"]["namespaces"]} == {"pid", "mount", "uts", "ipc", "cgroup", "network"}
    assert wanted["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert wanted["linux"]["resources"]["memory"] == {"limit": 1024 * MIB, "swap": 1024 * MIB}
    assert wanted["linux"]["resources"]["pids"] == {"limit": 256}
    assert wanted["linux"]["resources"]["devices"] == [{"allow": False, "access": "rwm"}]


def test_the_environment_is_exactly_the_ordered_one_and_the_command_is_an_argument_of_its_own() -> None:
    process = bundle.configuration(ORDER, PLACE)["process"]
    assert process["env"] == [f"{key}={value}" for key, value in ORDER.env.items()]
    assert process["args"][-1] == ORDER.command
    assert not any(ORDER.command in argument for argument in process["args"][:-1])
    assert process["cwd"] == "/app"


def test_a_build_runs_its_command_without_profile_scripts() -> None:
    assert bundle.command_line(replace(ORDER, kind=DynoKind.BUILD))[1:] == ["--", "/bin/bash", "-c", ORDER.command]


def test_limits_of_open_files_are_never_above_the_machines() -> None:
    limits = {limit["type"]: (limit["soft"], limit["hard"]) for limit in bundle.configuration(ORDER, PLACE)["process"]["rlimits"]}
    assert limits == {"RLIMIT_NOFILE": (4096, 4096), "RLIMIT_CORE": (0, 0)}


def test_the_slug_is_a_read_only_layer_below_the_dynos_own() -> None:
    (app,) = [mount for mount in bundle.configuration(ORDER, PLACE)["mounts"] if mount["destination"] == "/app"]
    assert {"lowerdir=/h/lower", "upperdir=/h/disk/app", "workdir=/h/disk/work", "nosuid", "nodev"} <= set(app["options"])
    (empty,) = [mount for mount in bundle.configuration(ORDER, replace(PLACE, lower=None))["mounts"] if mount["destination"] == "/app"]
    assert (empty["type"], empty["source"]) == ("bind", "/h/disk/app")


def test_everything_bound_from_the_machine_is_read_only_unless_ordered_otherwise() -> None:
    mounts = {mount["destination"]: mount["options"] for mount in bundle.configuration(ORDER, PLACE)["mounts"]}
    assert "ro" in mounts["/usr"] and "rw" in mounts["/cache"]
    assert all("nosuid" in options for options in mounts.values())


def test_on_unified_cgroups_the_kernel_kills_the_whole_dyno() -> None:
    assert bundle.configuration(ORDER, replace(PLACE, has_unified_cgroups=True))["linux"]["resources"]["unified"] == {
        "memory.oom.group": "1"
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"slug": "../../etc/passwd"},
        {"slug": "A" * 64},
        {"stack": "../host"},
        {"stack": ""},
        {"name": "web 1"},
        {"name": "../web.1"},
        {"memory_bytes": 0},
        {"pids": -1},
        {"pids": 1},
        {"disk_bytes": 1},
        {"cpu_shares": 0},
        {"port": 70_000},
        {"columns": 0},
        {"command": "a\0b"},
        {"command": "x" * 200_000},
        {"env": {"A=B": "c"}},
        {"env": {"": "c"}},
        {"env": {"A": "b\0"}},
        {"env": {"A": "x" * (2 * MIB)}},
        {"mounts": (Mount("/etc", "/x"),)},
        {"kind": DynoKind.BUILD, "mounts": (Mount("relative", "/x"),)},
        {"kind": DynoKind.BUILD, "mounts": (Mount("/a/../b", "/x"),)},
        {"kind": DynoKind.BUILD, "mounts": (Mount("/a", "/"),)},
        {"kind": DynoKind.BUILD, "mounts": (Mount("/a", "/app"),)},
        {"kind": DynoKind.BUILD, "mounts": (Mount("/a", "/proc/x"),)},
        {"kind": DynoKind.BUILD, "mounts": (Mount("/a", "/x/../etc"),)},
        {"kind": DynoKind.BUILD, "mounts": (Mount("/a", "//x"),)},
        {"kind": DynoKind.BUILD, "mounts": (Mount("/a", "x"),)},
    ],
)
def test_an_order_that_cannot_be_meant_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        order.check(replace(ORDER, **changes))


def test_a_sane_order_passes() -> None:
    order.check(ORDER)
    order.check(replace(ORDER, kind=DynoKind.BUILD, mounts=(Mount("/h/cache", "/opt/senryu/tools", writable=True),)))


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("0.0.0.0", Listening.YES),
        ("10.64.0.5", Listening.YES),  # its own
        ("10.64.0.6", Listening.LOCALLY),  # somebody else's
        ("127.0.0.1", Listening.LOCALLY),
        ("::", Listening.YES),
        ("::1", Listening.LOCALLY),
    ],
)
def test_only_a_listener_that_others_can_reach_counts(local: str, expected: Listening) -> None:
    sockets = [(ipaddress.ip_address("::1"), 80), (ipaddress.ip_address(local), 5000)]
    assert judged(sockets, 5000, "10.64.0.5") is expected
    assert judged(sockets, 5001, "10.64.0.5") is Listening.NOT


def test_another_port_counts_only_while_the_right_one_is_not_bound() -> None:
    sockets = [(ipaddress.ip_address("0.0.0.0"), 4567), (ipaddress.ip_address("::1"), 5000)]
    assert (elsewhere(sockets, 5000), elsewhere(sockets, 3000), elsewhere([], 3000)) == (0, 4567, 0)


def test_lots_never_share_addresses_users_or_names() -> None:
    lots = [Lot(number) for number in range(256)]
    private = ipaddress.IPv4Network("10.64.0.0/10")
    for one, next_one in pairwise(lots):
        assert not one.subnet.overlaps(next_one.subnet)
        assert one.subnet.subnet_of(private)
        assert one.uid(DYNOS_MAX + 2) < next_one.slug_uid
        assert not next_one.link_prefix.startswith(one.link_prefix)
    assert len({(lot.table, lot.cgroup, lot.gateway_link) for lot in lots}) == 256
    assert max(len(lot.link(DYNOS_MAX + 2)) for lot in lots) <= 15  # IFNAMSIZ
    assert ipaddress.IPv4Address(lots[255].address(DYNOS_MAX + 2)) in lots[255].subnet


def test_dynos_may_ask_the_machines_name_servers_but_not_those_on_its_loopback() -> None:
    conf = "# x\nnameserver 127.0.0.53\nnameserver 10.1.2.3\nnameserver fd00::1\nnameserver nonsense; drop\noptions edns0\n"
    assert firewall.resolvers_in(conf) == ["10.1.2.3"]
    script = firewall.script(Lot(3), ["10.1.2.3"])
    assert script.index("ip daddr { 10.1.2.3 } udp dport 53 accept") < script.index("10.0.0.0/8")
    assert "169.254.0.0/16" in script and "ct count over" in script and "masquerade" in script
    assert "dport 53" not in firewall.script(Lot(3), [])
    assert script.count("ip daddr . tcp dport @databases ip saddr . tcp dport @grants accept\n") == 2


@pytest.mark.parametrize(
    "request_",
    [
        protocol.Start(ORDER),
        protocol.Signal(uuid4(), "HUP"),
        protocol.Remove(uuid4()),
        protocol.ListDynos(),
        protocol.Watch(),
        protocol.Attach(uuid4()),
        protocol.AwaitEnd(uuid4()),
        protocol.RunInside(uuid4(), "ls", {"A": "b"}, True, 80, 24),
        protocol.OpenOutput(uuid4()),
        protocol.ImportStack("small", "/x"),
    ],
)
def test_requests_arrive_as_they_were_sent(request_: protocol.Request) -> None:
    assert protocol.read_request(protocol.encoded(request_)) == request_


def test_requests_of_another_shape_are_refused() -> None:
    good = msgspec.to_builtins(protocol.Signal(uuid4(), "HUP"))
    others: list[Any] = [{**good, "extra": 1}, {**good, "signal": "INT"}, {**good, "do": "reboot"}, [], None, {"do": "start"}]
    for bad in others:
        with pytest.raises(Invalid):
            protocol.read_request(msgspec.msgpack.encode(bad))


@pytest.mark.parametrize("kind", [Invalid, NotFound, Conflict, Forbidden, Unavailable])
def test_errors_keep_their_kind_and_sentence_across_the_socket(kind: type[Invalid]) -> None:
    error = protocol.raised(protocol.failure(kind("What failed and what to do.")))
    assert (type(error), error.message) == (kind, "What failed and what to do.")


def foreign(policy: str, *rules: list[dict[str, Any]], family: str = "ip", table: str = "filter") -> list[dict[str, Any]]:
    """A ruleset in nft's JSON: one chain of the forward hook."""
    place = {"family": family, "table": table}
    chain = {"chain": {**place, "name": "FORWARD", "hook": "forward", "policy": policy}}
    return [chain, *({"rule": {**place, "chain": "FORWARD", "handle": number, "expr": rule}} for number, rule in enumerate(rules))]


OPENING: list[dict[str, Any]] = [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "sn3-*"}}, {"accept": None}]


@pytest.mark.parametrize(
    ("ruleset", "is_closed"),
    [
        (foreign("accept"), False),
        (foreign("accept", [{"accept": None}]), False),
        (foreign("drop"), True),
        (foreign("accept", [{"reject": None}]), True),
        (foreign("accept", [{"drop": None}], family="inet"), True),
        (foreign("drop", OPENING), True),
        (foreign("drop", OPENING, OPENING), False),
        (foreign("drop", family="ip6"), False),
        (foreign("drop", family="inet", table="senryu_4"), False),
    ],
)
def test_a_firewall_of_others_that_forwards_nothing_is_noticed(ruleset: list[dict[str, Any]], is_closed: bool) -> None:
    closed = forwarding.closed_chains(ruleset, Lot(3))
    assert [str(chain) for chain in closed] == [f"{ruleset[0]['chain']['family']} filter FORWARD"] * is_closed


def test_only_openings_of_the_own_lot_are_taken_away() -> None:
    ruleset = foreign("drop", OPENING, [{"accept": None}], OPENING)
    assert forwarding.openings(ruleset, Lot(3)) == ["delete rule ip filter FORWARD handle 0", "delete rule ip filter FORWARD handle 2"]
    assert forwarding.openings(ruleset, Lot(33)) == []


def test_a_port_of_a_data_server_is_opened_to_one_dynos_address_and_closed_whether_or_not_it_was_open() -> None:
    lot = Lot(3)
    assert firewall.granting(lot, []) == firewall.revoking(lot, []) == ""
    opened = firewall.granting(lot, [("10.64.96.5", 20001), ("10.64.96.5", 20002)])
    assert opened == "add element inet senryu_3 grants { 10.64.96.5 . 20001, 10.64.96.5 . 20002 }\n"
    closed = firewall.revoking(lot, [("10.64.96.5", 20001)])
    assert closed.splitlines() == [f"{verb} element inet senryu_3 grants {{ 10.64.96.5 . 20001 }}" for verb in ("add", "delete")]


def test_an_order_may_name_buckets_of_the_platform_only() -> None:
    bucket = "senryu-0123456789abcdef0123"
    order.check(replace(ORDER, buckets=(bucket,)))
    for buckets in ((f"{bucket}\n6.6.6.6 pypi.org",), (f" {bucket}",), ("other",), (bucket,) * 300):
        with pytest.raises(Invalid):
            order.check(replace(ORDER, buckets=buckets))


@pytest.mark.parametrize("reaches", [(22,), (5434,), (20_001,) * 300, (65_535,)])
def test_an_order_may_name_ports_of_data_servers_only(reaches: tuple[int, ...]) -> None:
    order.check(replace(ORDER, reaches=(5432, 20_001)))
    with pytest.raises(Invalid):
        order.check(replace(ORDER, reaches=reaches))
