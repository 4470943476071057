"""The official client's certificates: what it uploads is what visitors are shown, and certs:auto brings one from a real ACME authority."""

from __future__ import annotations

import hashlib
import socket
import ssl
from pathlib import Path

from authorities.rig import certificate
from system.person import App
from system.rig import Copy, eventually

from .client import Heroku


def shown(copy: Copy, name: str) -> str:
    """The SHA-256 of the certificate that is shown for a name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    place = ("127.0.0.1", copy.tls_port)
    with socket.create_connection(place, timeout=10) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
        return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()


def written(folder: Path, name: str, *hosts: str) -> str:
    """A certificate and its key as files; gives the certificate's fingerprint."""
    pem, key, _ = certificate(*hosts)
    (folder / f"{name}.crt").write_text(pem)
    (folder / f"{name}.key").write_text(key)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_certificates_are_uploaded_chosen_replaced_and_removed(heroku: Heroku, app: App, tmp_path: Path) -> None:
    host, other = f"{app.name}.example.org", f"{app.name}.example.net"
    first, second = written(tmp_path, "first", host, other), written(tmp_path, "second", host, other)
    heroku.run("certs", says="has no SSL certificates")
    heroku.refused("certs:info", status=1, says="has no SSL certificates")
    heroku.refused("certs:remove", status=1, says="has no SSL certificates")
    heroku.run("certs:add", str(tmp_path / "first.crt"), str(tmp_path / "first.key"), says="SSL certificate is self signed")
    heroku.refused("certs:add", str(tmp_path / "first.crt"), str(tmp_path / "second.key"), says="does not belong to the certificate")
    [name] = [each["name"] for each in heroku.ask(f"/apps/{app.name}/sni-endpoints")]
    heroku.run("domains:add", host, "--cert", name, says="done")
    eventually(lambda: shown(app.copy, host) == first, "the certificate")
    heroku.run("domains:add", other)
    heroku.run("domains:update", other, "--cert", name, says="done")
    eventually(lambda: shown(app.copy, other) == first, "the certificate of the other domain")
    assert name in heroku.run("domains").stdout
    listed = heroku.run("certs").stdout
    assert name in listed and "False" in listed and "SNI" in listed
    heroku.run("certs:info", "--name", name, "--show-domains", says=f"{host}")
    words = (str(tmp_path / "second.crt"), str(tmp_path / "second.key"), "--name", name, "--confirm", app.name)
    heroku.run("certs:update", *words, says="Updated certificate details")
    eventually(lambda: shown(app.copy, host) == shown(app.copy, other) == second, "the new certificate")
    heroku.run("certs:remove", "--endpoint", host, "--confirm", app.name, says="done")
    eventually(lambda: shown(app.copy, host) not in (first, second), "the end of the certificate")
    heroku.run("domains:clear")


def test_the_client_asks_which_domains_a_certificate_is_for(heroku: Heroku, app: App, tmp_path: Path) -> None:
    host = f"{app.name}.example.org"
    fingerprint = written(tmp_path, "asked", host)
    heroku.run("domains:add", host)
    with heroku.terminal("certs:add", "-a", app.name, str(tmp_path / "asked.crt"), str(tmp_path / "asked.key")) as terminal:
        terminal.await_text("Select domains")
        terminal.type(" \r")
        assert terminal.await_end() == 0
    eventually(lambda: shown(app.copy, host) == fingerprint, "the certificate")
    heroku.run("certs:remove", "--confirm", app.name)
    heroku.run("domains:clear")


def test_a_key_and_a_request_are_made_by_the_client(heroku: Heroku, app: App, tmp_path: Path) -> None:
    words = ("gen.example.org", "--now", "-a", app.name)
    heroku.run("certs:generate", *words, says="heroku certs:add CERTFILE gen.example.org.key", cwd=tmp_path)
    assert "BEGIN CERTIFICATE REQUEST" in (tmp_path / "gen.example.org.csr").read_text()


def test_automatic_certificates_come_by_themselves(heroku: Heroku, app: App) -> None:
    host = f"{app.name}.example.org"
    heroku.run("certs:auto", says="Automatic Certificate Management is disabled")
    heroku.run("domains:add", host)
    default = shown(app.copy, host)
    heroku.run("certs:auto:enable", says="starting")
    eventually(lambda: shown(app.copy, host) != default, "the automatic certificate")
    heroku.run("certs:auto", "--wait", says=host)
    said = heroku.run("certs:auto").stdout
    assert "Renewal scheduled" in said and "Pebble" in said
    assert "ACM" in heroku.run("certs").stdout
    heroku.run("certs:auto:refresh", says="done")
    heroku.run("certs:auto:disable", "--confirm", app.name, says="done")
    eventually(lambda: shown(app.copy, host) == default, "the platform's own certificate")
    heroku.run("domains:clear")
