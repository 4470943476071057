"""What the agent asks of the kernel's network, in a namespace that goes with the test's thread."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from senryu.agent import mounts
from senryu.agent.links import Links
from senryu.agent.listening import Listeners, Listening

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces")]


def inside_new_namespace(work: Callable[[], None]) -> None:
    """Runs `work` in a thread whose network is empty; raises what it raises."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            mounts.new_network_namespace()
            work()
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def shown(*words: str) -> str:
    """What `ip` says, in the namespace of this thread."""
    return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=10, check=True).stdout


def test_a_cable_has_its_addresses_and_routes_and_goes_with_one_end() -> None:
    def lay() -> None:
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        with Links() as links:
            links.add_cable("near", 1400, end="far", namespace=here)
            near, far = links.index("near"), links.index("far")
            assert near and far
            links.set_up(far)
            links.give_address(near, "10.99.0.1")
            links.give_address(near, "10.99.0.1")
            links.route("10.99.0.2", near, source="10.99.0.1")
            links.default_route("10.99.0.2", near)
            links.refuse("10.98.0.0/16")
            assert "quickack 1" in shown("route"), "answers in two parts would take 40 ms"
            told = shown("-o", "addr", "show", "near") + shown("-o", "link", "show", "far") + shown("route")
            assert "10.99.0.1/32" in told and "mtu 1400" in told and "UP" in told
            assert "10.99.0.2 dev near proto static scope link src 10.99.0.1" in told
            assert "default via 10.99.0.2 dev near" in told and "unreachable 10.98.0.0/16" in told
            links.stop_refusing("10.98.0.0/16")
            links.stop_refusing("10.98.0.0/16")
            assert "unreachable" not in shown("route")
            links.delete("near")
            links.delete("near")
            assert links.index("far") is None
        os.close(here)

    inside_new_namespace(lay)


def test_what_the_kernel_refuses_is_raised_with_its_number() -> None:
    def lay() -> None:
        with Links() as links:
            links.add_bridge("twice")
            with pytest.raises(OSError) as raised:
                links.add_bridge("twice")
            assert raised.value.errno == errno.EEXIST

    inside_new_namespace(lay)


@pytest.fixture
def listening() -> Iterator[Callable[..., int]]:
    """Binds a port and listens; gives the port."""
    with ExitStack() as stack:

        def listen(family: int, address: str, *, only_six: bool = False) -> int:
            bound = stack.enter_context(socket.socket(family))
            if only_six:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((address, 0))
            bound.listen()
            return int(bound.getsockname()[1])

        yield listen


def test_the_kernel_tells_who_listens_for_whom(listening: Callable[..., int]) -> None:
    asked = Listeners(os.getpid())
    try:
        assert asked.on(listening(socket.AF_INET, "127.0.0.1"), "10.64.0.5") is Listening.LOCALLY
        assert asked.on(listening(socket.AF_INET, "127.0.0.1"), "127.0.0.1") is Listening.YES
        assert asked.on(listening(socket.AF_INET, "0.0.0.0"), "10.64.0.5") is Listening.YES
        assert asked.on(listening(socket.AF_INET6, "::"), "10.64.0.5") is Listening.YES
        assert asked.on(listening(socket.AF_INET6, "::", only_six=True), "10.64.0.5") is Listening.LOCALLY
        assert asked.on(listening(socket.AF_INET6, "::ffff:127.0.0.1"), "127.0.0.1") is Listening.YES
        with socket.create_connection(("127.0.0.1", listening(socket.AF_INET, "127.0.0.1"))) as connected:
            assert asked.on(connected.getsockname()[1], "127.0.0.1") is Listening.NOT
    finally:
        asked.close()


def test_who_listens_in_a_process_that_is_gone_cannot_be_asked() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait(10)
    with pytest.raises(OSError, match="No such"):
        Listeners(gone.pid)
