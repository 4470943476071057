"""The byte stream of a one-off dyno: TLS, the secret, then whatever the command says and hears.

Source: https://devcenter.heroku.com/articles/one-off-dynos. Standard input that is no terminal is sent framed
(4 bytes of length, big-endian, then so many bytes; length 0 is its end), so that every byte value passes; where the
platform does not answer `"stdin": "framed"` it is sent plain with an EOT (0x04) at its end, as Heroku's own CLI does.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from senryu.cli.failure import API, Failure
from senryu.cli.platform_url import connect

CHUNK_BYTES = 64 * 1024
UNSENT_MAX_BYTES = 256 * 1024
BOOT_TIMEOUT_S = 150.0
LOOK_S = 30.0
GREETING = b"rendezvous\r\n"
INTERRUPTS_TO_LEAVE = 4


def dial(attach_url: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Connects to `rendezvous://HOST:PORT/SECRET` and waits until the dyno has its end. Raises `Failure`."""
    parts = urlsplit(attach_url)
    if parts.scheme != "rendezvous" or not parts.hostname or not parts.port:
        raise Failure("The platform gave no address to attach to", status=API)
    secret = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    plain: socket.socket | None = None
    try:
        plain = connect(parts.hostname, parts.port)
        _notice_dead_peers(plain)
        sock = context.wrap_socket(plain, server_hostname=parts.hostname)
        sock.sendall(f"{secret}\r\n".encode())
        sock.settimeout(BOOT_TIMEOUT_S)
        return sock
    except OSError as error:
        if plain is not None:
            plain.close()
        raise Failure(f"Could not attach to the dyno at {parts.hostname}:{parts.port}: {error}", status=API) from error


def _notice_dead_peers(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def await_dyno(sock: ssl.SSLSocket) -> bytes:
    """Waits for the greeting. Gives what already followed it. Raises `Failure` when the dyno does not come up."""
    seen = b""
    try:
        while GREETING not in seen:
            chunk = sock.recv(CHUNK_BYTES)
            if not chunk:
                raise Failure("The dyno did not start", hint="`senryu logs` says why", status=API)
            seen += chunk
    except TimeoutError as error:
        raise Failure(f"The dyno did not start within {BOOT_TIMEOUT_S:.0f} seconds", hint="`senryu logs` says why", status=API) from error
    except OSError as error:
        raise Failure(f"The connection to the dyno broke off: {error}", status=API) from error
    return seen.partition(GREETING)[2]


class Stream:
    """Copies stdin to the dyno and the dyno's output to stdout until the dyno's end is closed.

    Takes: `is_terminal`, keys are passed as they are typed; `is_framed`, see above; `on_output`, turns bytes from the
    dyno into bytes to print (b"" at the end: the last ones). Four Ctrl-C within a second leave a dyno that hears nothing.
    """

    def __init__(self, sock: ssl.SSLSocket, *, is_terminal: bool, is_framed: bool, on_output: Callable[[bytes], bytes]) -> None:
        self.sock = sock
        self.is_terminal = is_terminal
        self.is_framed = is_framed
        self.on_output = on_output
        self._unsent = bytearray()
        self._stdin_open = True
        self._may_write = True
        self._interrupts: list[float] = []

    def copy(self, first: bytes, stdin: int = 0, stdout: int = 1) -> None:
        """Runs until the end of the output. Raises `Failure` when the connection breaks, KeyboardInterrupt to leave."""
        self.sock.setblocking(False)
        _write_all(stdout, self.on_output(first) if first else b"")
        try:
            while self._round(stdin, stdout):
                pass
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Failure(f"The connection to the dyno broke off: {error}", hint="`senryu ps` shows whether it runs", status=API) from error
        _write_all(stdout, self.on_output(b""))

    def _round(self, stdin: int, stdout: int) -> bool:
        """Waits for one side and moves its bytes. Gives false at the end of the output."""
        reads: list[ssl.SSLSocket | int] = [self.sock]
        if self._stdin_open and len(self._unsent) < UNSENT_MAX_BYTES:
            reads.append(stdin)
        writes = [self.sock] if self._unsent and self._may_write else []
        ready, writable, _ = select.select(reads, writes, [], 0 if self.sock.pending() else LOOK_S)
        if stdin in ready:
            self._hear(stdin)
        if writable or self._unsent:
            self._send()
        if self.sock in ready or self.sock.pending():
            return self._print(stdout)
        return True

    def _hear(self, stdin: int) -> None:
        try:
            chunk = os.read(stdin, CHUNK_BYTES)
        except OSError:
            chunk = b""  # a closed or hung-up terminal has nothing more to say
        if self.is_terminal and b"\x03" in chunk:
            self._note_interrupts(chunk.count(b"\x03"))
        if self.is_framed:
            self._unsent += struct.pack(">I", len(chunk)) + chunk
        else:
            self._unsent += chunk if chunk or self.is_terminal else b"\x04"
        self._stdin_open = bool(chunk)

    def _note_interrupts(self, count: int) -> None:
        now = time.monotonic()
        self._interrupts = [at for at in self._interrupts if now - at < 1] + [now] * count
        if len(self._interrupts) >= INTERRUPTS_TO_LEAVE:
            raise KeyboardInterrupt

    def _send(self) -> None:
        try:
            while self._unsent:
                sent = self.sock.send(self._unsent[:CHUNK_BYTES])
                del self._unsent[:sent]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except (ConnectionError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
            # The command may end before it has read everything; what it printed is still to come.
            self._unsent.clear()
            self._stdin_open = self._may_write = False

    def _print(self, stdout: int) -> bool:
        try:
            chunk = self.sock.recv(CHUNK_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except ConnectionResetError:
            if self._may_write:
                raise
            return False
        if chunk:
            _write_all(stdout, self.on_output(chunk))
        return bool(chunk)


def _write_all(target: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:
            select.select([], [target], [], LOOK_S)


