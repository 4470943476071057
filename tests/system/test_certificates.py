"""TLS of custom domains on a whole platform of a domain of its own: what HAProxy shows, through kills, and a real ACME authority."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from authorities.rig import AVAILABLE, Pebble, certificate, pebble
from below import below

from .person import App, new_app, registered
from .rig import Copy, eventually, running_copy

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs pebble: apt-get install pebble")


@pytest.fixture(scope="module")
def copy_and_ca() -> Iterator[tuple[Copy, Pebble]]:
    """A platform of the domain platform.test that asks pebble for certificates."""
    with ExitStack() as stack:
        started: list[Pebble] = []

        def settings(copy: Copy) -> str:
            started.append(stack.enter_context(pebble(copy.port)))
            return f'domain = "platform.test"\n{started[0].settings(copy.home)}'

        copy = stack.enter_context(running_copy(settings))
        yield copy, started[0]


@pytest.fixture(scope="module")
def app(copy_and_ca: tuple[Copy, Pebble], tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with new_app(registered(copy_and_ca[0], tmp_path_factory.mktemp("person") / "home")) as made:
        made.push()
        yield made


def shown(copy: Copy, name: str | None, version: ssl.TLSVersion | None = None) -> str:
    """The SHA-256 of the certificate that is shown for a name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", copy.tls_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        found = tls.getpeercert(binary_form=True)
    assert found is not None
    return hashlib.sha256(found).hexdigest()


def fetched(copy: Copy, host: str, authority: str, folder: Path) -> str:
    """What curl, which trusts only `authority`, gets from the host over TLS."""
    (folder / "authority.pem").write_text(authority)
    place = ["--resolve", f"{host}:{copy.tls_port}:127.0.0.1", "--cacert", str(folder / "authority.pem")]
    done = subprocess.run(["curl", "-sS", *place, f"https://{host}:{copy.tls_port}/"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def der(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END") + 25])).hexdigest()


class Handshakes:
    """Visitors that shake hands all the time; each failure is kept."""

    def __init__(self, copy: Copy, host: str) -> None:
        self.copy, self.host = copy, host
        self.failures: list[str] = []
        self.count = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                shown(self.copy, self.host)
                self.count += 1
            except OSError as error:
                self.failures.append(repr(error))

    def __enter__(self) -> Handshakes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(30)


def test_an_uploaded_certificate_is_shown_replaced_without_a_failed_handshake_and_survives_kills(
    app: App, copy_and_ca: tuple[Copy, Pebble], tmp_path: Path
) -> None:
    copy, host = copy_and_ca[0], "www.shop.example.com"
    default = shown(copy, "nobody.example.com")
    first, second = (certificate(host, "*.shop.example.com") for _ in range(2))
    for name, made in (("first", first), ("second", second)):
        (tmp_path / f"{name}.crt").write_text(made[0])
        (tmp_path / f"{name}.key").write_text(made[1])
    app.senryu("domains:add", host)
    assert shown(copy, host) == default
    app.senryu("certs:add", str(tmp_path / "first.crt"), str(tmp_path / "first.key"))
    eventually(lambda: shown(copy, host) == der(first[0]), "the first certificate")
    assert fetched(copy, host, first[0], tmp_path) == copy.visit(host).text
    assert shown(copy, "other.shop.example.com") == default  # in its names, but no domain of the app
    with Handshakes(copy, host) as visitors:
        app.senryu("certs:update", str(tmp_path / "second.crt"), str(tmp_path / "second.key"), "--confirm", app.name)
        eventually(lambda: shown(copy, host) == der(second[0]), "the second certificate")
        eventually(lambda: visitors.count > 50, "handshakes")
    assert visitors.failures == []
    copy.kill("senryud")
    assert shown(copy, host) == der(second[0])
    copy.await_health()
    copy.kill("router")
    assert shown(copy, host) == der(second[0])  # HAProxy serves on
    copy.kill_haproxy()
    eventually(lambda: _shows(copy, host, der(second[0])), "the certificate after HAProxy's death")
    # With its files gone too, the router is given them again at the next look.
    for file in (copy.home / "tls/hosts").iterdir():
        file.unlink()
    (copy.home / "router/certificates.list").write_text("")
    copy.kill_haproxy()
    eventually(lambda: _shows(copy, host, default), "the router without its files")
    copy.kill("senryud")
    eventually(lambda: _shows(copy, host, der(second[0])), "the certificate from the database")
    keys = [path for path in below(copy.home) if path.is_file() and path.stat().st_mode & 0o007 and _has_key(path, second[1])]
    assert keys == []
    app.senryu("certs:remove", "--confirm", app.name)
    eventually(lambda: shown(copy, host) == default, "the platform's own certificate")
    app.senryu("domains:remove", host)


def _shows(copy: Copy, host: str, wanted: str) -> bool:
    with suppress(OSError):
        return shown(copy, host) == wanted
    return False


def _has_key(path: Path, key: str) -> bool:
    return key.splitlines()[1] in path.read_text(errors="replace")


def test_old_protocols_are_refused_and_who_names_nobody_gets_the_platforms_certificate(app: App, copy_and_ca: tuple[Copy, Pebble]) -> None:
    copy = copy_and_ca[0]
    default = shown(copy, "nobody.example.com")
    assert shown(copy, None) == default == shown(copy, "localhost") == shown(copy, "api.platform.test")
    assert shown(copy, None, ssl.TLSVersion.TLSv1_2) == shown(copy, None, ssl.TLSVersion.TLSv1_3) == default
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises((ssl.SSLError, OSError)), pytest.warns(DeprecationWarning):
            shown(copy, None, old)


def test_automatic_certificates_come_from_a_real_authority_also_through_a_kill(
    app: App, copy_and_ca: tuple[Copy, Pebble], tmp_path: Path
) -> None:
    copy, ca = copy_and_ca
    hosts = ("auto.shop.example.com", "two.shop.example.com")
    for host in hosts:
        app.senryu("domains:add", host)
    app.senryu("certs:auto:enable")
    copy.kill("senryud")
    copy.await_health()
    done = app.senryu("certs:auto", "--wait")
    assert done.stdout.count(" OK ") == 2, done.stdout
    for host in hosts:
        eventually(lambda host=host: _fetches(copy, host, ca.root, tmp_path), f"{host} trusted by the authority's root")  # type: ignore[misc]
    own = "/.well-known/acme-challenge/of-the-app"  # the app's own, which the platform does not wait for
    assert copy.visit(hosts[0], own).text == copy.visit(f"{app.name}.platform.test", own).text
    assert "api endpoint" not in copy.visit(hosts[0], own).text.lower()
    secrets = [path for path in (copy.home / "db").iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert secrets == []
    app.senryu("maintenance:on")
    app.senryu("domains:add", "three.shop.example.com")
    eventually(lambda: "three.shop.example.com  OK" in app.senryu("certs:auto").stdout, "a certificate in maintenance mode")
    app.senryu("maintenance:off")
    app.senryu("certs:auto:disable", "--confirm", app.name)
    default = shown(copy, "nobody.example.com")
    eventually(lambda: all(shown(copy, host) == default for host in hosts), "no certificates")


def _fetches(copy: Copy, host: str, authority: str, folder: Path) -> bool:
    with suppress(AssertionError):
        return bool(fetched(copy, host, authority, folder))
    return False


def test_a_wildcard_is_said_to_need_a_certificate_of_ones_own(app: App, copy_and_ca: tuple[Copy, Pebble]) -> None:
    copy = copy_and_ca[0]
    app.senryu("domains:add", "*.wild.example.com")
    app.senryu("certs:auto:enable")
    listed = app.senryu("certs:auto").stdout
    assert "*.wild.example.com" in listed and "Failed" in listed and "certs:add" in listed
    app.senryu("certs:auto:disable", "--confirm", app.name)
    assert copy.visit("localhost", "/senryu/health").status == 200
