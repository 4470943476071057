"""A network namespace for each dyno, cabled to the host by a routed veth pair. Netlink in this process; only `nft` is run.

Namespaces have no names: they live as long as the dyno's processes do, and the kernel takes the cable away with them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from senryu.core.errors import Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S

from . import firewall, mounts
from .lot import CLAIMS, Lot
from .netlink import IPRoute, NetlinkError

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_FORWARD_BEFORE = CLAIMS / "ip_forward"  # the machine's, not one home's: whoever leaves last puts it back
_SCOPE_LINK = 253
_RESOLV_CONFS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def resolvers() -> list[str]:
    """The DNS servers dynos use: the host's that can be reached from outside it."""
    for path in _RESOLV_CONFS:
        if path.exists() and (found := firewall.resolvers_in(path.read_text())):
            return found
    return []


def prepare(lot: Lot) -> None:
    """The gateway address, forwarding and the rules of a lot. Idempotent."""
    with IPRoute() as netlink:
        if not netlink.link_lookup(ifname=lot.gateway_link):
            netlink.link("add", ifname=lot.gateway_link, kind="bridge")  # without ports: it only holds the address
        index = netlink.link_lookup(ifname=lot.gateway_link)[0]
        Path(f"/proc/sys/net/ipv6/conf/{lot.gateway_link}/disable_ipv6").write_text("1")
        netlink.addr("replace", index=index, address=lot.gateway, prefixlen=32)
        netlink.link("set", index=index, state="up")
        # What is for a dyno that has ended must not leave by the default route, to whoever has that address out there.
        netlink.route("replace", dst=str(lot.subnet), type="unreachable")
    before = _FORWARD.read_text().strip()
    if before != "1":
        _FORWARD_BEFORE.write_text(before)
        _FORWARD.write_text("1")
    _nft(firewall.script(lot, resolvers()))


def take_down(lot: Lot, *, is_last: bool) -> None:
    """Undoes `prepare`; forwarding goes back to what it was when no other lot needs it."""
    _nft(firewall.removal(lot))
    with IPRoute() as netlink:
        for link in netlink.get_links():
            name = link.get_attr("IFLA_IFNAME")
            if name == lot.gateway_link or name.startswith(lot.link_prefix):
                _delete(netlink, name)
        with contextlib.suppress(NetlinkError):
            netlink.route("del", dst=str(lot.subnet), type="unreachable")
    if is_last and _FORWARD_BEFORE.exists():
        _FORWARD.write_text(_FORWARD_BEFORE.read_text())
        _FORWARD_BEFORE.unlink()


def cable(lot: Lot, index: int) -> Callable[[], int]:
    """Starts to make a network namespace with address `index` of the lot, cabled to the host.

    Gives a function that waits for it and gives the open namespace, always the same one; it raises Unavailable.
    """
    answers: SimpleQueue[int | BaseException] = SimpleQueue()

    # A thread of its own: a thread cannot be trusted to come back from the namespace it made.
    def make() -> None:
        try:
            answers.put(_cabled(lot, index))
        except BaseException as error:
            answers.put(error)

    def namespace() -> int:
        answer = answers.get(timeout=AGENT_TIMEOUT_S)
        answers.put(answer)  # whoever gives up on the dyno asks again, to close it
        if isinstance(answer, BaseException):
            raise Unavailable(f"The network of the dyno could not be made: {answer}.") from answer
        return answer

    threading.Thread(target=make, name=f"network:{lot.link(index)}", daemon=True).start()
    return namespace


def uncable(lot: Lot, index: int) -> None:
    """Takes a dyno's cable away at once; the kernel would do it a little after the last process."""
    with IPRoute() as netlink:
        _delete(netlink, lot.link(index))


def _cabled(lot: Lot, index: int) -> int:
    mtu = _outward_mtu()
    with IPRoute() as outside:
        mounts.new_network_namespace()
        namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            name = lot.link(index)
            peer = {"ifname": "eth0", "net_ns_fd": namespace, "mtu": mtu}
            try:
                outside.link("add", ifname=name, kind="veth", mtu=mtu, peer=peer)
            except NetlinkError:
                _delete(outside, name)
                outside.link("add", ifname=name, kind="veth", mtu=mtu, peer=peer)
            _configure_inside(lot, index)
            _configure_outside(outside, lot, index)
        except BaseException:
            os.close(namespace)
            raise
    return namespace


def _configure_inside(lot: Lot, index: int) -> None:
    with IPRoute() as inside:
        eth0 = inside.link_lookup(ifname="eth0")[0]
        inside.addr("add", index=eth0, address=lot.address(index), prefixlen=32)
        inside.link("set", index=1, state="up")
        inside.link("set", index=eth0, state="up")
        inside.route("add", dst=f"{lot.gateway}/32", oif=eth0, scope=_SCOPE_LINK)
        inside.route("add", dst="default", gateway=lot.gateway, oif=eth0)


def _configure_outside(outside: IPRoute, lot: Lot, index: int) -> None:
    name = lot.link(index)
    link = outside.link_lookup(ifname=name)[0]
    outside.link("set", index=link, state="up")
    outside.route("replace", dst=f"{lot.address(index)}/32", oif=link, scope=_SCOPE_LINK, prefsrc=lot.gateway)


def _outward_mtu() -> int:
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        device, destination = line.split()[:2]
        if destination == "00000000":
            return int(Path(f"/sys/class/net/{device}/mtu").read_text())
    return 1500


def _delete(netlink: IPRoute, name: str) -> None:
    for link in netlink.link_lookup(ifname=name):
        try:
            netlink.link("del", index=link)
        except NetlinkError:
            pass  # gone with its namespace between the two calls


def _nft(text: str) -> None:
    done = subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True, timeout=AGENT_TIMEOUT_S)
    if done.returncode != 0:
        raise Unavailable(f"The firewall rules could not be set; see that nftables works here: {done.stderr.strip()[:300]}")
