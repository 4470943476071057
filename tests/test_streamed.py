"""Answers that are sent as they come to be."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from senryu.streamed import Streamed


class Client:
    """The other end of an answer."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.is_gone = asyncio.Event()

    async def receive(self) -> Message:
        await self.is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.got.append(message)

    async def ask(self, answer: Streamed) -> None:
        async with asyncio.timeout(10):
            await answer({"type": "http"}, self.receive, self.send)


async def test_all_parts_are_sent_and_then_the_end() -> None:
    async def parts() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(0)
        yield "b"

    client = Client()
    await client.ask(Streamed(parts(), status_code=201, media_type="text/plain"))
    assert client.got[0]["status"] == 201
    assert [(part["body"], part["more_body"]) for part in client.got[1:]] == [(b"a", True), (b"b", True), (b"", False)]


async def test_the_source_ends_when_the_client_goes_even_if_it_loses_a_cancellation() -> None:
    client, told = Client(), 0

    async def endless() -> AsyncIterator[str]:
        nonlocal told
        yield "a"
        while True:
            try:
                client.is_gone.set()
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told += 1
                if told == 2:
                    raise

    await client.ask(Streamed(endless()))
    assert told == 2
    assert [part.get("body") for part in client.got] == [None, b"a"]


async def test_what_the_source_raises_is_raised() -> None:
    async def broken() -> AsyncIterator[str]:
        yield "a"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await Client().ask(Streamed(broken()))


async def test_who_is_cancelled_while_sending_takes_the_source_along() -> None:
    is_over = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.sleep(60)
        finally:
            is_over.set()

    client = Client()
    asking = asyncio.create_task(client.ask(Streamed(endless())))
    while len(client.got) < 2:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert is_over.is_set()


def test_sending_takes_nothing_of_anyio_that_loading_it_did_not() -> None:
    program = (
        "import asyncio, sys; from senryu.streamed import Streamed\n"
        "async def parts():\n    yield 'a'\n"
        "async def never():\n    await asyncio.sleep(60)\n"
        "async def send(message): print(message['type'])\n"
        "asyncio.run(Streamed(parts())({'type': 'http'}, never, send))\n"
        "assert 'anyio._backends._asyncio' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["http.response.start", "http.response.body", "http.response.body"]
