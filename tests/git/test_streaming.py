"""Output comes as it is made, pushes outlive their pushers, memory stays bounded."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from senryu.git import PushTarget

from .conftest import Checkout, House, new_checkout, opened

Output = Callable[[bytes], Awaitable[None]]
DEADLINE_S = 30


async def started_push(checkout: Checkout, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "git", "push", *(arguments or ("senryu", "main")), cwd=checkout.path, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        env={"PATH": os.environ["PATH"], "HOME": str(checkout.path), "GIT_TERMINAL_PROMPT": "0"},
    )  # fmt: skip


async def test_each_piece_of_output_reaches_the_pusher_before_the_next_is_made(house: House, checkout: Checkout) -> None:
    goes_on = asyncio.Event()

    async def slow(_: PushTarget, output: Output) -> None:
        await output(b"-----> First\n")
        async with asyncio.timeout(DEADLINE_S):
            await goes_on.wait()
        await output(b"-----> Second\n")

    house.on_deploy = slow
    await checkout.commit(a="1")
    push = await started_push(checkout)
    assert push.stderr
    async with asyncio.timeout(DEADLINE_S):
        while b"First" not in (line := await push.stderr.readline()):
            assert line
        goes_on.set()
        rest = await push.stderr.read()
        assert await push.wait() == 0
    assert b"Second" in rest


async def test_a_pusher_who_goes_away_does_not_stop_the_deploy(house: House, checkout: Checkout) -> None:
    begun, goes_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_: PushTarget, output: Output) -> None:
        await output(b"-----> First\n")
        begun.set()
        await goes_on.wait()
        for _number in range(500):
            await output(b"x" * 10_000 + b"\n")
        ended.set()

    house.on_deploy = slow
    commit = await checkout.commit(a="1")
    push = await started_push(checkout)
    async with asyncio.timeout(DEADLINE_S):
        await begun.wait()
        os.killpg(push.pid, signal.SIGKILL)
        await push.wait()
        goes_on.set()
        await ended.wait()
        ref = house.repository("shop") / "refs/heads/main"
        while not ref.exists():
            await asyncio.sleep(0.02)
    assert ref.read_text().strip() == commit
    house.on_deploy = None
    await checkout.commit(a="2")
    assert (await checkout.git("push", "senryu", "main")).status == 0


async def test_a_pusher_who_goes_away_while_sending_changes_nothing(house: House, checkout: Checkout) -> None:
    commit = await checkout.commit(a=os.urandom(3_000_000))
    host, port = house.url.removeprefix("http://").split(":")
    _reader, writer = await asyncio.open_connection(host, int(port))
    command = f"{'0' * 40} {commit} refs/heads/main\0 report-status side-band-64k\n".encode()
    body = b"%04x" % (len(command) + 4) + command + b"0000" + b"PACK\0\0\0\2\0\0\0\3"
    head = b"POST /shop.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic aGVyb2t1OmNvcnJlY3QtdG9rZW4=\r\n"
    writer.write(head + b"Content-Length: 3000000\r\n\r\n" + body)
    await writer.drain()
    quarantine = house.repository("shop") / "objects"
    async with asyncio.timeout(DEADLINE_S):
        while not list(quarantine.glob("tmp_objdir*")):
            await asyncio.sleep(0.02)
        writer.close()
        while list(quarantine.glob("tmp_objdir*")):
            await asyncio.sleep(0.02)
    assert house.commits == []
    assert (await checkout.git("push", "senryu", "main")).status == 0


async def test_two_pushes_to_one_app_do_not_deploy_at_the_same_time(house: House, checkout: Checkout) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(_: PushTarget, output: Output) -> None:
        begun.set()
        await goes_on.wait()

    house.on_deploy = slow
    first = await checkout.commit(a="1")
    push = await started_push(checkout)
    async with asyncio.timeout(DEADLINE_S):
        await begun.wait()
    await checkout.commit(a="2")
    second = await checkout.git("push", "senryu", "main")
    assert second.status == 1
    assert "Another push to shop is being deployed" in second.text
    other = await new_checkout(checkout.path.parent / "blog", house, "blog")
    await other.commit(b="1")
    house.on_deploy = None
    assert (await other.git("push", "senryu", "main")).status == 0
    goes_on.set()
    assert await push.wait() == 0
    assert house.commits[-1] == first
    assert (await checkout.git("push", "senryu", "main")).status == 0


async def test_a_large_push_streams_through_bounded_memory(tmp_path: Path) -> None:
    class Counting(House):
        size = 0

        async def deploy(self, target: PushTarget, commit: str, source: AsyncIterator[bytes], output: Output) -> None:
            async for chunk in source:
                self.size += len(chunk)
            self.commits.append(commit)

    counting = Counting()
    async with opened(counting, tmp_path / "r") as house:
        checkout = await new_checkout(tmp_path / "checkout", house)
        await checkout.commit(large=os.urandom(50_000_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert (await checkout.git("push", "senryu", "main")).status == 0
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert counting.size > 50_000_000
    assert grown_kib < 25_000


async def test_leaving_the_door_ends_a_push_and_tells_the_pusher(tmp_path: Path) -> None:
    begun = asyncio.Event()
    house = House()

    async def never_ends(_: PushTarget, output: Output) -> None:
        begun.set()
        await asyncio.Event().wait()

    house.on_deploy = never_ends
    async with opened(house, tmp_path / "r"):
        checkout = await new_checkout(tmp_path / "checkout", house)
        await checkout.commit(a="1")
        push = await started_push(checkout)
        async with asyncio.timeout(DEADLINE_S):
            await begun.wait()
    async with asyncio.timeout(DEADLINE_S):
        assert await push.wait() != 0
    assert not (house.repository("shop") / "refs/heads/main").exists()
    assert list(house.repository("shop").glob("objects/tmp_objdir*")) == []
