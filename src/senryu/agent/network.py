"""A network namespace for each dyno, cabled to the host by a routed veth pair. Netlink in this process; only `nft` is run.

Namespaces have no names: they live as long as the dyno's processes do, and the kernel takes the cable away with them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from senryu.core.errors import Unavailable
from senryu.core.limits import AGENT_TIMEOUT_S

from . import firewall, forwarding, mounts
from .front import Front, leading
from .links import Links
from .listening import check_kernel
from .lot import CLAIMS, Lot

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_FORWARD_BEFORE = CLAIMS / "ip_forward"  # the machine's, not one home's: whoever leaves last puts it back
_INTERFACES = "/proc/sys/net/ipv4/conf"
_LOOPBACK = 1
_RESOLV_CONFS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))

T = TypeVar("T")


def resolvers() -> list[str]:
    """The DNS servers dynos use: the host's that can be reached from outside it."""
    for path in _RESOLV_CONFS:
        if path.exists() and (found := firewall.resolvers_in(path.read_text())):
            return found
    return []


def prepare(lot: Lot, front: Front | None = None) -> None:
    """The gateway address, forwarding and the rules of a lot. Idempotent. Raises: Unavailable when the kernel cannot do what it must.

    `front` is where the Internet finds the router; dynos may go there, too.
    """
    check_kernel()
    with Links() as links:
        if links.index(lot.gateway_link) is None:
            links.add_bridge(lot.gateway_link)  # it only holds the address
        index = _index(links, lot.gateway_link)
        Path(f"/proc/sys/net/ipv6/conf/{lot.gateway_link}/disable_ipv6").write_text("1")
        links.give_address(index, lot.gateway)
        links.set_up(index)
        # What is for a dyno that has ended must not leave by the default route, to whoever has that address out there.
        links.refuse(str(lot.subnet))
    before = _FORWARD.read_text().strip()
    if before != "1":
        _FORWARD_BEFORE.write_text(before)
        _FORWARD.write_text("1")
    _nft(firewall.script(lot, resolvers(), front))


def grant(lot: Lot, index: int, ports: Sequence[int]) -> None:
    """Lets one dyno reach ports of the gateway that others may not."""
    if ports:
        _nft(firewall.granting(lot, [(lot.address(index), port) for port in ports]))


def granting(lot: Lot, index: int, ports: Sequence[int]) -> Callable[[], None]:
    """Starts to `grant`. Gives a function that returns when it is done, or raises Unavailable."""
    return _beside(f"grant:{lot.link(index)}", partial(grant, lot, index, ports)) if ports else lambda: None


def revoke(lot: Lot, index: int, ports: Sequence[int]) -> None:
    """Undoes `grant`, whether or not it was done."""
    if ports:
        _nft(firewall.revoking(lot, [(lot.address(index), port) for port in ports]))


def lead_to_database(lot: Lot, database: firewall.Database, addresses: Sequence[str]) -> None:
    """Lets dynos with a grant reach the operator's own database there, and where it was before no more. Idempotent."""
    _nft(firewall.leading_to_database(lot, database, addresses))


def lead_to_router(lot: Lot, front: Front) -> None:
    """Lets dynos with a grant reach the router at the gateway, on its own ports. Idempotent."""
    _nft(leading(lot, front))


def take_down(lot: Lot, *, is_last: bool) -> None:
    """Undoes `prepare`; forwarding goes back to what it was when no other lot needs it."""
    forwarding.close_all(lot)
    _nft(firewall.removal(lot))
    with Links() as links:
        for _, name in socket.if_nameindex():
            if name == lot.gateway_link or name.startswith(lot.link_prefix):
                links.delete(name)
        links.stop_refusing(str(lot.subnet))
    if is_last and _FORWARD_BEFORE.exists():
        _FORWARD.write_text(_FORWARD_BEFORE.read_text())
        _FORWARD_BEFORE.unlink()


def cable(lot: Lot, index: int) -> Callable[[], int]:
    """Starts to make a network namespace with address `index` of the lot, cabled to the host.

    Gives a function that waits for it and gives the open namespace, always the same one; it raises Unavailable.
    """
    # A thread of its own: a thread cannot be trusted to come back from the namespace it made.
    cabled = _beside(f"network:{lot.link(index)}", partial(_cabled, lot, index))

    def namespace() -> int:
        try:
            return cabled()
        except Exception as error:
            raise Unavailable(f"The network of the dyno could not be made: {error}.") from error

    return namespace


def _beside(name: str, work: Callable[[], T]) -> Callable[[], T]:
    """Starts `work` in a thread. Gives a function that waits for it and gives its answer, always the same one, or raises its error."""
    answers: SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = SimpleQueue()

    def do() -> None:
        try:
            answers.put((work(), None))
        except BaseException as error:
            answers.put((None, error))

    def answer() -> T:
        given = answers.get(timeout=AGENT_TIMEOUT_S)
        answers.put(given)  # whoever gives up on the dyno asks again
        if given[1] is not None:
            raise given[1]
        return given[0]

    threading.Thread(target=do, name=name, daemon=True).start()
    return answer


def uncable(lot: Lot, index: int) -> None:
    """Takes a dyno's cable away at once; the kernel would do it a little after the last process."""
    with Links() as links:
        links.delete(lot.link(index))


def _cabled(lot: Lot, index: int) -> int:
    mtu = _outward_mtu()
    name, address = lot.link(index), lot.address(index)
    with Links() as outside, _opened(_INTERFACES) as interfaces:  # of the host: afterwards the path leads into the new namespace
        mounts.new_network_namespace()
        namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            outside.delete(name)  # of a dyno that had the address before
            outside.add_cable(name, mtu, end="eth0", namespace=namespace)
            outside.route(address, _index(outside, name), source=lot.gateway)
            # Connections to the gateway may be led to a router on the loopback; firewall.py drops what else is for there.
            with _opened(f"{name}/route_localnet", os.O_WRONLY, below=interfaces) as switch:
                os.write(switch, b"1")
            with Links() as inside:
                eth0 = _index(inside, "eth0")
                inside.set_up(_LOOPBACK)
                inside.set_up(eth0)
                inside.give_address(eth0, address)
                inside.route(lot.gateway, eth0)
                inside.default_route(lot.gateway, eth0)
        except BaseException:
            os.close(namespace)
            raise
    return namespace


@contextmanager
def _opened(path: str, flags: int = os.O_RDONLY, below: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, dir_fd=below)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _index(links: Links, name: str) -> int:
    index = links.index(name)
    if index is None:
        raise Unavailable(f"The network link {name} was taken away by somebody else; try again.")
    return index


def _outward_mtu() -> int:
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        device, destination = line.split()[:2]
        if destination == "00000000":
            return int(Path(f"/sys/class/net/{device}/mtu").read_text())
    return 1500


def _nft(text: str) -> None:
    done = subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True, timeout=AGENT_TIMEOUT_S)
    if done.returncode != 0:
        raise Unavailable(f"The firewall rules could not be set; see that nftables works here: {done.stderr.strip()[:300]}")
