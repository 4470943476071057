"""A real ACME authority on loopback: Debian's pebble, with a DNS of its own in which every name is this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_DEADLINE_S = 20.0
AVAILABLE = shutil.which("pebble") is not None


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def certificate(
    *names: str,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    days: float = 90,
    starts_in_days: float = -1,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    is_ca: bool = False,
) -> tuple[str, str, tuple[x509.Certificate, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]]:
    """A certificate and its key in PEM, and as something others can be signed with."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    signer = issuer[1] if issuer else own
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=starts_in_days))
        .not_valid_after(now + timedelta(days=starts_in_days + 1 + days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if not is_ca:
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    made = built.sign(signer, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    form = serialization.PrivateFormat.PKCS8
    key_pem = own.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    return pem, key_pem, (made, own)


@dataclass
class Pebble:
    """The running authority. `directory` is its ACME address, `ca_file` what its own TLS is trusted by, `root` signs what it issues."""

    directory: str
    ca_file: Path
    management: str

    def settings(self, home: Path) -> str:
        """The lines of senryu.toml by which a platform asks it; trust in it is written into the home."""
        (home / "pebble.pem").write_text(self.ca_file.read_text())
        return f'acme_directory = "{self.directory}"\nacme_ca_file = "{home}/pebble.pem"\n'

    @property
    def root(self) -> str:
        """The PEM of its root; another one at each start."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(f"{self.management}/roots/0", context=context, timeout=10) as answer:
            return str(answer.read().decode())


@contextmanager
def pebble(http_port: int, *, life_s: int = 90 * 86400) -> Iterator[Pebble]:
    """Looks for challenges on `http_port` of 127.0.0.1, whatever the name; its certificates live `life_s` seconds."""
    folder = Path(tempfile.mkdtemp(prefix="senryu-pebble-"))
    started: list[subprocess.Popen[bytes]] = []
    try:
        chain, key, _ = certificate("localhost")
        (folder / "cert.pem").write_text(chain)
        (folder / "key.pem").write_text(key)
        port, management, dns, dns_management = (free_port() for _ in range(4))
        config = {
            "listenAddress": f"127.0.0.1:{port}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(folder / "cert.pem"),
            "privateKey": str(folder / "key.pem"),
            "httpPort": http_port,
            "tlsPort": 1,
            "certificateValidityPeriod": life_s,
        }
        (folder / "config.json").write_text(json.dumps({"pebble": config}))
        quiet = {"PATH": os.environ["PATH"], "PEBBLE_VA_NOSLEEP": "1"}
        listen = [*(f"-{kind}=" for kind in ("http01", "https01", "tlsalpn01")), "-defaultIPv6=", f"-dns01=127.0.0.1:{dns}"]
        programs = (
            ["pebble-challtestsrv", *listen, f"-management=127.0.0.1:{dns_management}"],
            ["pebble", "-config", str(folder / "config.json"), "-dnsserver", f"127.0.0.1:{dns}"],
        )
        with (folder / "log").open("wb") as log:
            for program in programs:
                started.append(subprocess.Popen(program, env=quiet, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder))
        _await(port, folder / "log", started)
        _await(dns_management, folder / "log", started)
        yield Pebble(f"https://localhost:{port}/dir", folder / "cert.pem", f"https://localhost:{management}")
    finally:
        for process in started:
            process.kill()
            process.wait(10)
        shutil.rmtree(folder)


def _await(port: int, log: Path, started: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline and all(process.poll() is None for process in started), log.read_text()
        time.sleep(0.05)
