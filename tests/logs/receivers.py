"""Receivers of log drains for tests, on loopback: good ones and every kind of bad one."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

PATIENCE_S = 15.0
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class QuickClock:
    """Time passes when somebody sleeps, and a sleep of any length takes a millisecond."""

    def __init__(self) -> None:
        self.at = AT
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - AT).total_seconds()

    def boot(self) -> str:
        return "boot"

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)
        self.at += timedelta(seconds=delay_s)
        await asyncio.sleep(0.001)


async def eventually(is_so: Callable[[], object], what: str = "") -> None:
    """Waits until it is so; fails after PATIENCE_S."""
    deadline = monotonic() + PATIENCE_S
    while not is_so():
        assert monotonic() < deadline, f"never came: {what}"
        await asyncio.sleep(0.005)


def frames(body: bytes) -> list[bytes]:
    """The messages of an octet-counted body, which must be whole."""
    found = []
    while body:
        length, _, rest = body.partition(b" ")
        assert len(rest) >= int(length), rest
        found.append(rest[: int(length)])
        body = rest[int(length) :]
    return found


def words(message: bytes) -> str:
    """What the line said."""
    return message.decode().split(" - ", 1)[1].removeprefix("- ").rstrip("\n")


@dataclass
class Post:
    """A request that came in whole."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> list[str]:
        return [words(frame) for frame in frames(self.body)]


@dataclass
class HttpReceiver:
    """Answers by `script`, one entry a request, the last for ever: a status, `cut` (closes inside the answer) or `silent`."""

    script: list[int | str] = field(default_factory=lambda: [200])
    posts: list[Post] = field(default_factory=list)
    taken: list[Post] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def said(self) -> list[str]:
        """What it took, in order."""
        return [said for post in self.taken for said in post.said]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        post = Post(head[0].split(" ")[1], headers, await reader.readexactly(int(headers["Content-Length"])))
        self.posts.append(post)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if answer == "silent":
            await reader.read()
            return False
        if answer == "cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly so much")
            await writer.drain()
            return False
        if answer == 200:
            self.taken.append(post)
        writer.write(f"HTTP/1.1 {answer} Some Reason\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nok".encode())
        await writer.drain()
        return True


@dataclass
class SyslogReceiver:
    """Takes messages. `is_reading` false lets what is sent pile up; `drop` closes the connections there are."""

    received: bytes = b""
    connections: int = 0
    port: int = 0
    is_reading: bool = True
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        return [words(frame) for frame in frames(self.received)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while self.is_reading and (chunk := await reader.read(65536)):
                self.received += chunk
            while not self.is_reading:
                await asyncio.sleep(0.01)
        except OSError:
            pass
        finally:
            writer.close()

    def drop(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()


@asynccontextmanager
async def open_receiver(
    receiver: HttpReceiver | SyslogReceiver, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[None]:
    """Listens inside; outside its port is closed."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await receiver.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class Authority:
    """A certificate authority in files; `trusting` is what a client of it uses."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "ca.pem"))

    def serving(self, host: str) -> ssl.SSLContext:
        """What a server of that name uses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(host))
        return context

    def issue(self, host: str) -> Path:
        """A certificate with its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        alternative = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = _certificate(name, self.name, key).add_extension(alternative, critical=False).sign(self.key, hashes.SHA256())
        path = self.directory / f"{host}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
        return path


def authority(directory: Path) -> Authority:
    """A new one."""
    directory.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    builder = _certificate(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    (directory / "ca.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return Authority(directory, key, name)


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
    )


class Names:
    """A resolver that knows what it was told; an address is itself."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked = 0

    async def addresses(self, host: str, port: int) -> list[str]:
        self.asked += 1
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return self.known.get(host, ["127.0.0.1"])
