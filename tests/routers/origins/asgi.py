"""For uvicorn: notes each request's head as it sees it, reads the body, answers with what it read."""

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

SEEN = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    via = ", ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"via")
    os.write(SEEN, json.dumps([scope["method"], scope["path"], via]).encode() + b"\n")
    length, more = 0, True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        length += len(message.get("body", b""))
    body = f"{scope['path']} {length}\n".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
