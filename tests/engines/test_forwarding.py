"""Dynos keep their way to the Internet on a machine where another firewall forwards nothing by itself, as Docker's does."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from senryu.agent import firewall, forwarding
from senryu.agent.lot import Lot
from senryu.engines.container import ContainerEngine

from .rig import DEADLINE_S, Agent, one_off, order, result, seen

pytestmark = pytest.mark.system

FAR, NEAR = "198.18.77.2", "198.18.77.1"
FOREIGN = {
    "Docker (iptables)": "iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER",
    "firewalld": 'nft add table inet firewalld; nft add chain inet firewalld filter_FORWARD "{ type filter hook forward priority 10; }";'
    " nft add rule inet firewalld filter_FORWARD ct state established accept; nft add rule inet firewalld filter_FORWARD reject",
    "an owner's nftables.conf": "nft add table ip filter;"
    ' nft add chain ip filter FORWARD "{ type filter hook forward priority 0; policy drop; }"',
    "the old iptables": "iptables-legacy -P FORWARD DROP",
}
_KEEP = "import socket; s = socket.create_server(('', 81), backlog=4096); kept = []\nwhile True: kept.append(s.accept())"
# Opens so many at once, waits three seconds for them, says how many there are, and keeps them for a while.
_HOLD = """
import resource, select, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
poll, held, waiting = select.epoll(), 0, {}
for _ in range(int(sys.argv[2])):
    one = socket.socket(); one.setblocking(False); one.connect_ex((sys.argv[1], 81))
    waiting[one.fileno()] = one; poll.register(one, select.EPOLLOUT | select.EPOLLONESHOT)
until = time.monotonic() + 3
while time.monotonic() < until:
    held += sum(waiting[file].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 for file, _ in poll.poll(0.1))
print("held", held, flush=True); time.sleep(20)
"""
CONNECT = f"timeout 5 bash -c 'cat < /dev/tcp/{FAR}/80'"


@contextlib.contextmanager
def machine_elsewhere() -> Iterator[str]:
    """A network namespace that is a whole machine's, with one far away behind a cable. Gives its name."""
    near, far = (f"snfw{end}{os.getpid()}"[:15] for end in ("n", "f"))
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for name in (near, far):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", near, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far)
        for name, address in ((near, NEAR), (far, FAR)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", near, "route", "add", "default", "via", FAR)
        serve = "import socket; s = socket.create_server(('', 80))\nwhile True: c, _ = s.accept(); c.sendall(b'far away'); c.close()"
        servers += [subprocess.Popen(["ip", "netns", "exec", far, sys.executable, "-c", each]) for each in (serve, _KEEP)]
        yield near
    finally:
        for server in servers:
            server.kill()
            server.wait(DEADLINE_S)
        for name in (near, far):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=30, check=False)


class ElsewhereAgent(Agent):
    """An agent on such a machine; all else of the real machine is its own, too."""

    def __init__(self, namespace: str, *flags: str) -> None:
        super().__init__(*flags)
        self.namespace = namespace

    def start(self) -> None:
        with inside(self.namespace):
            super().start()

    def clean_up(self) -> None:
        with inside(self.namespace):
            super().clean_up()


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts, has the namespace's network."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        setns(there.fileno())
        try:
            yield
        finally:
            setns(home.fileno())


def setns(file: int) -> None:
    assert ctypes.CDLL(None, use_errno=True).setns(file, 0) == 0


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"


def shell(namespace: str, script: str) -> str:
    done = subprocess.run(["ip", "netns", "exec", namespace, "sh", "-ec", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{script}: {done.stderr}"
    return done.stdout


def rules(namespace: str) -> str:
    legacy = shell(namespace, "iptables-legacy -S FORWARD 2>/dev/null || true")
    return shell(namespace, "nft list ruleset") + legacy


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_a_dyno_reaches_the_internet_past_a_firewall_that_forwards_nothing(foreign: str) -> None:
    if "legacy" in FOREIGN[foreign] and not old_iptables_works():
        pytest.skip("this kernel has no old iptables")
    with machine_elsewhere() as namespace:
        shell(namespace, FOREIGN[foreign])
        before = rules(namespace)
        agent = ElsewhereAgent(namespace)
        try:
            agent.start()
            async with ContainerEngine(agent.home) as engine:
                assert (await result(engine, CONNECT))[0] == ["far away"]
                assert (await result(engine, f"timeout 2 bash -c 'echo > /dev/tcp/{NEAR}/22' && echo escaped"))[0] != ["escaped"]
            if "iptables" in FOREIGN[foreign]:
                shell(namespace, f"{FOREIGN[foreign].split()[0]} -S")  # whoever owns the chain can still read it
        finally:
            agent.clean_up()
        assert without_counters(rules(namespace)) == without_counters(before)


async def test_one_dyno_holds_so_many_connections_to_the_internet_and_others_have_theirs() -> None:
    with machine_elsewhere() as namespace:
        agent = ElsewhereAgent(namespace)
        try:
            agent.start()
            async with ContainerEngine(agent.home) as engine:
                greedy = one_off(shlex.join(("python3", "-c", _HOLD, FAR, str(firewall.CONNECTIONS_PER_DYNO + 200))))
                await engine.start(greedy)
                async with asyncio.timeout(DEADLINE_S):
                    first = await anext(engine.output(greedy.id, -1))
                assert [line.text for line in first] == [f"held {firewall.CONNECTIONS_PER_DYNO}".encode()]
                assert (await result(engine, CONNECT))[0] == ["far away"]
        finally:
            agent.clean_up()


async def test_a_firewall_that_is_started_later_is_opened_then() -> None:
    with machine_elsewhere() as namespace:
        agent = ElsewhereAgent(namespace)
        try:
            agent.start()
            shell(namespace, FOREIGN["Docker (iptables)"])
            lot = Lot(int((agent.home / "agent" / "lot").read_text()))
            async with ContainerEngine(agent.home) as engine:
                async with asyncio.timeout(4 * DEADLINE_S):  # at the agent's next look
                    while (await result(engine, CONNECT))[0] != ["far away"]:
                        await asyncio.sleep(0.5)
                with inside(namespace):
                    assert forwarding.open_all(lot) == []  # another look changes nothing
                assert rules(namespace).count(f'iifname "{lot.link_prefix}*" counter') == 1
        finally:
            agent.clean_up()


HEARD = """
import socket
talk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
talk.bind(("", 7000)); talk.settimeout(20)
print("ready", flush=True)
while (said := talk.recv(100)) != b"last": print(said.decode(), flush=True)
"""
SENT = f"""
import socket, subprocess, sys
for source in sys.argv[1:]:
    subprocess.run(["ip", "address", "add", source + "/32", "dev", "lo"], check=True)
    talk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talk.bind((source, 0)); talk.sendto(source.encode(), ("{FAR}", 7000))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"last", ("{FAR}", 7000))
"""


async def test_a_packet_with_another_address_is_dropped() -> None:
    """Sent by root from inside a dyno's network: a dyno itself cannot make one."""
    with machine_elsewhere() as near:
        agent = ElsewhereAgent(near)
        far = near.replace("snfwn", "snfwf")
        listening = subprocess.Popen(["ip", "netns", "exec", far, sys.executable, "-c", HEARD], stdout=subprocess.PIPE, text=True)
        try:
            assert listening.stdout is not None
            assert listening.stdout.readline() == "ready\n"
            agent.start()
            lot = Lot(int((agent.home / "agent" / "lot").read_text()))
            async with ContainerEngine(agent.home) as engine:
                wanted = one_off("sleep 1000")
                await engine.start(wanted)
                pid = (agent.home / "agent" / "dynos" / str(wanted.id) / "pid").read_text().strip()
                others = ("8.8.8.8", lot.address(77), lot.gateway, NEAR)
                subprocess.run(["nsenter", "-t", pid, "-n", sys.executable, "-c", SENT, *others], check=True, timeout=30)
                assert listening.communicate(timeout=30)[0] == ""
        finally:
            listening.kill()
            listening.wait(DEADLINE_S)
            agent.clean_up()


async def test_a_neighbour_on_the_network_does_not_reach_a_dyno() -> None:
    with machine_elsewhere() as near:
        agent = ElsewhereAgent(near)
        try:
            agent.start()
            async with ContainerEngine(agent.home) as engine:
                wanted = order("exec python3 -m http.server $PORT")
                await engine.start(wanted)
                dyno = await seen(engine, wanted.id, lambda dyno: dyno.is_listening)
                assert dyno.address is not None
                connect = f"timeout 3 bash -c 'echo > /dev/tcp/{dyno.address.replace(':', '/')}' && echo reached || true"
                far = near.replace("snfwn", "snfwf")
                ip("-n", far, "route", "add", "10.64.0.0/11", "via", NEAR)
                assert shell(near, connect) == "reached\n"
                assert shell(far, connect) == ""
        finally:
            agent.clean_up()


def old_iptables_works() -> bool:
    done = subprocess.run(["unshare", "--net", "iptables-legacy", "-S", "FORWARD"], capture_output=True, timeout=30, check=False)
    return done.returncode == 0


def without_counters(text: str) -> str:
    return re.sub(r"packets \d+ bytes \d+", "", text)
