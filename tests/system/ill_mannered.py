"""An app that behaves, path by path, as badly as a router must be ready for; and visitors that speak in raw bytes."""

from __future__ import annotations

import socket
from typing import Final

from .rig import Copy

APP: Final = r'''
import asyncio, os, socket

ANSWERS = {
    "/close": b"",
    "/garbage": b"whatever\r\n\r\n",
    "/two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "/half": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    "/cookie": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=" + b"a" * 8192 + b"\r\nContent-Length: 2\r\n\r\nok",
    "/status-line": b"HTTP/1.1 200 " + b"O" * 8180 + b"\r\nContent-Length: 2\r\n\r\nok",
}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def refuse(reader, writer):
    writer.write(OK)
    await writer.drain()
    server.close()


async def fall_deaf(reader, writer):
    """Nobody accepts any more, and the kernel's queue is full: it drops who comes."""
    writer.write(OK)
    await writer.drain()
    server.close()
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deaf.bind(("0.0.0.0", port))
    deaf.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    print("deaf", flush=True)
    await asyncio.sleep(1000)


async def stall(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    await writer.drain()
    await asyncio.sleep(1000)


async def flow(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
    while True:
        writer.write(b"x" * 100)
        await writer.drain()
        await asyncio.sleep(0.05)


async def silent(reader, writer):
    print("silent", flush=True)
    await asyncio.sleep(1000)


async def upload(reader, writer):
    print("uploading", flush=True)
    while await reader.read(65536):
        pass


WAYS = {"/silent": silent, "/stall": stall, "/flow": flow, "/upload": upload, "/refuse": refuse, "/fall-deaf": fall_deaf}


async def serve(reader, writer):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode().partition("?")[0]
        if path in WAYS:
            await WAYS[path](reader, writer)
        else:
            writer.write(ANSWERS.get(path, OK))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    global server, port
    port = int(os.environ["PORT"])
    server = await asyncio.start_server(serve, "0.0.0.0", port, backlog=1024)
    await asyncio.sleep(10 ** 6)


asyncio.run(main())
'''
FILES: Final = {"app.py": APP, "requirements.txt": "", "Procfile": "web: python app.py\n"}


def speak(copy: Copy, *parts: bytes, timeout_s: float = 90, leave_after: bytes | None = None) -> bytes:
    """Sends the parts, each when the one before is on its way, and gives what comes back until the router closes.

    With `leave_after` the visitor goes as soon as that was received.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", copy.port), timeout=timeout_s) as connection:
        for part in parts:
            connection.sendall(part)
        while chunk := connection.recv(65536):
            received += chunk
            if leave_after is not None and leave_after in received:
                break
    return received


def head(host: str, line: str = "GET / HTTP/1.1", *headers: str) -> bytes:
    """A request's head that asks for the connection to be closed."""
    return "".join(f"{text}\r\n" for text in (line, f"Host: {host}", "Connection: close", *headers, "")).encode()
