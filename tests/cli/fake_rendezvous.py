"""The far end of a one-off dyno: a TLS door that runs a real command for whoever knows the secret."""

from __future__ import annotations

import datetime
import fcntl
import os
import pty
import signal
import socket
import ssl
import struct
import subprocess
import termios
import threading
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECRET = "s3cret?with=query"


def authority(folder: Path) -> tuple[str, ssl.SSLContext]:
    """(PEM of the authority, server context with its certificate for localhost)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Senryu test authority")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(pem + private)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem")
    return pem.decode(), context


class Rendezvous:
    """Runs `command` once. `mode`: framed or eot (pipes), or pty. `exit_code` is set when the command has ended."""

    def __init__(self, context: ssl.SSLContext, command: str, mode: str, size: tuple[int, int] = (80, 24)) -> None:
        self.context = context
        self.command = command
        self.mode = mode
        self.size = size
        self.exit_code: int | None = None
        self.terminal: int | None = None
        self.pid = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"rendezvous://localhost:{self.listener.getsockname()[1]}/{SECRET}"

    def resize(self, columns: int, lines: int) -> None:
        assert self.terminal is not None
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def __enter__(self) -> Rendezvous:
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.listener.close()
        self.thread.join(20)
        assert not self.thread.is_alive()
        if self.terminal is not None:
            os.close(self.terminal)

    def _serve(self) -> None:
        try:
            plain, _ = self.listener.accept()
            with plain, self.context.wrap_socket(plain, server_side=True) as sock:
                sock.settimeout(20)
                seen = b""
                while not seen.endswith(b"\r\n"):
                    seen += sock.recv(1)
                if seen.decode().strip() == SECRET:
                    sock.sendall(b"rendezvous\r\n")
                    self._run(sock)
                sock.unwrap()
        except OSError:
            pass  # the client has left, or never trusted us

    def _run(self, sock: ssl.SSLSocket) -> None:
        line = ["/bin/sh", "-c", self.command]
        child: subprocess.Popen[bytes] | None = None
        if self.mode == "pty":
            self.pid, self.terminal = pty.fork()
            if self.pid == 0:
                os.execv(line[0], line)
            self.resize(*self.size)
            target = source = self.terminal
        else:
            pipe, same = subprocess.PIPE, subprocess.STDOUT
            child = subprocess.Popen(line, start_new_session=True, stdin=pipe, stdout=pipe, stderr=same)
            assert child.stdin and child.stdout
            self.pid, target, source = child.pid, os.dup(child.stdin.fileno()), child.stdout.fileno()
            child.stdin.close()
        # An OpenSSL object is not used by two threads at once without a lock.
        lock = threading.Lock()
        hearing = threading.Thread(target=self._hear, args=(sock, lock, target), daemon=True)
        hearing.start()
        try:
            while chunk := _read(source):
                _send(sock, lock, chunk)
        finally:
            self._end(child, source)
            hearing.join(20)

    def _end(self, child: subprocess.Popen[bytes] | None, source: int) -> None:
        if child is None:
            self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        else:
            self.exit_code = child.wait(20)
            assert child.stdout
            child.stdout.close()
        self.mode = "over"

    def _kill(self) -> None:
        """The client has left, so nobody needs the command."""
        if self.mode != "over":
            os.killpg(self.pid, signal.SIGKILL)

    def _hear(self, sock: ssl.SSLSocket, lock: threading.Lock, target: int) -> None:
        reader = Reader(sock, lock, self)
        mode = self.mode
        try:
            if mode == "framed":
                while size := struct.unpack(">I", reader.exactly(4))[0]:
                    _write(target, reader.exactly(size))
            else:
                while chunk := reader.some():
                    _write(target, chunk.removesuffix(b"\x04") if mode == "eot" else chunk)
                    if mode == "eot" and chunk.endswith(b"\x04"):
                        break
                else:
                    self._kill()
        except EOFError:
            self._kill()
        except OSError:
            pass  # the command does not listen any more
        finally:
            if mode != "pty":
                os.close(target)


class Reader:
    def __init__(self, sock: ssl.SSLSocket, lock: threading.Lock, owner: Rendezvous) -> None:
        self.sock = sock
        self.lock = lock
        self.owner = owner
        self.held = b""

    def some(self) -> bytes:
        import select

        while self.owner.mode != "over":
            if not self.sock.pending() and not select.select([self.sock], [], [], 0.02)[0]:
                continue
            with self.lock:
                self.sock.settimeout(0)
                try:
                    return self.sock.recv(65536)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    continue
                finally:
                    self.sock.settimeout(20)
        return b""

    def exactly(self, count: int) -> bytes:
        while len(self.held) < count:
            chunk = self.some()
            if not chunk:
                raise EOFError
            self.held += chunk
        taken, self.held = self.held[:count], self.held[count:]
        return taken


def _send(sock: ssl.SSLSocket, lock: threading.Lock, chunk: bytes) -> None:
    """Sends without holding the lock while the client is slow, so that its own bytes are still read."""
    import select

    view = memoryview(chunk)
    while view:
        with lock:
            sock.settimeout(0)
            try:
                view = view[sock.send(view) :]
                continue
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            finally:
                sock.settimeout(20)
        select.select([], [sock], [], 0.02)


def _read(source: int) -> bytes:
    try:
        return os.read(source, 65536)
    except OSError:
        return b""  # a pty whose other side is closed


def _write(target: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(target, view) :]
