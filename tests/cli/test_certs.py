"""certs and certs:auto: what is asked of the platform, and what the person sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from senryu.cli import certs_auto

from .conftest import Senryu
from .fake_api import FakeApi, Reply

WWW = {
    "id": "d1", "hostname": "www.example.com", "kind": "custom", "cname": "myapp.localhost", "status": "none", "sni_endpoint": None,
    "acm_status": None, "acm_status_reason": None, "updated_at": "2026-01-01T00:00:00Z",
}  # fmt: skip


def endpoint(**cert: Any) -> dict[str, Any]:
    ssl_cert = {
        "acm": False, "ca_signed?": False, "self_signed?": True, "cert_domains": ["*.example.com"], "issuer": "/CN=x", "subject": "/CN=x",
        "starts_at": "2026-01-01T00:00:00Z", "expires_at": "2027-01-01T00:00:00Z",
    }  # fmt: skip
    return {"id": "e1", "name": "tidy-wren-12345", "display_name": None, "domains": [], "ssl_cert": {**ssl_cert, **cert}}


def test_a_certificate_is_added_and_used_for_every_domain_it_is_for(api: FakeApi, senryu: Senryu) -> None:
    Path("crt").write_text("CERT")
    Path("key").write_text("KEY")
    others = [WWW | {"hostname": "example.com"}, WWW | {"hostname": "a.example.com", "sni_endpoint": {"name": "other"}}]
    api.on("POST /apps/myapp/sni-endpoints", endpoint(), 201)
    api.on("GET /apps/myapp/domains", [WWW, *others])
    api.on("PATCH /apps/myapp/domains/www.example.com", {})
    result = senryu("certs:add", "crt", "key", "-a", "myapp")
    assert result.status == 0 and "SSL certificate is self signed." in result.out
    assert api.asked("POST /apps/myapp/sni-endpoints")[0].json == {"certificate_chain": "CERT", "private_key": "KEY"}
    [patched] = [request for request in api.requests if request.method == "PATCH"]
    assert (patched.path, patched.json) == ("/apps/myapp/domains/www.example.com", {"sni_endpoint": "tidy-wren-12345"})
    assert "KEY" not in result.out + result.err
    assert senryu("certs:add", "nobody", "key", "-a", "myapp").status == 1
    Path("der").write_bytes(b"\xff\xfe\x00")
    assert "PEM form" in senryu("certs:add", "der", "key", "-a", "myapp").err


def test_certificates_are_listed_shown_replaced_and_removed(api: FakeApi, senryu: Senryu) -> None:
    Path("crt").write_text("CERT")
    Path("key").write_text("KEY")
    api.on("GET /apps/myapp/sni-endpoints", [])
    assert senryu("certs", "-a", "myapp").out.startswith("⬢ myapp has no SSL certificates.\n")
    assert senryu("certs:info", "-a", "myapp").status == 1
    both = [endpoint(), endpoint() | {"name": "other", "id": "e2", "domains": ["d1"]}]
    api.on("GET /apps/myapp/sni-endpoints", both)
    assert " tidy-wren-12345  *.example.com   2027-01-01T00:00:00Z  False    SNI   0" in senryu("certs", "-a", "myapp").out
    assert "2 certificates" in senryu("certs:info", "-a", "myapp").err
    api.on("GET /apps/myapp/domains", [WWW])
    api.on("GET /apps/myapp/domains/www.example.com", WWW)
    shown = senryu("certs:info", "-a", "myapp", "--endpoint", "www.example.com").out
    assert "Name:           other" in shown and "Domain(s):      www.example.com" in shown
    api.on("PATCH /apps/myapp/sni-endpoints/other", both[1])
    assert senryu("certs:update", "crt", "key", "-a", "myapp", "--name", "other", "--confirm", "wrong").status == 1
    assert senryu("certs:update", "crt", "key", "-a", "myapp", "--name", "other", "--confirm", "myapp").status == 0
    assert api.asked("PATCH /apps/myapp/sni-endpoints/other")[0].json == {"certificate_chain": "CERT", "private_key": "KEY"}
    api.on("DELETE /apps/myapp/sni-endpoints/other", both[1])
    assert senryu("certs:remove", "-a", "myapp", "--name", "other", "--confirm", "myapp").status == 0
    api.on("PATCH /apps/myapp/domains/www.example.com", WWW)
    assert senryu("domains:update", "www.example.com", "-a", "myapp", "--cert", "none").status == 0
    assert api.asked("PATCH /apps/myapp/domains/www.example.com")[0].json == {"sni_endpoint": None}
    assert senryu("domains:update", "www.example.com", "-a", "myapp").status == 1


def test_a_key_and_a_request_are_made_here_and_never_overwritten(senryu: Senryu) -> None:
    made = senryu("certs:generate", "www.example.com", "--owner", "Ada/Co", "--country", "GB")
    assert made.status == 0 and "certs:add CERTIFICATE www.example.com.key" in made.out
    assert Path("www.example.com.key").stat().st_mode & 0o777 == 0o600
    assert "BEGIN CERTIFICATE REQUEST" in Path("www.example.com.csr").read_text()
    assert senryu("certs:generate", "www.example.com", "--selfsigned").status == 1
    own = senryu("certs:generate", "*.example.com", "--selfsigned")
    assert own.status == 0 and "BEGIN CERTIFICATE-" in Path("star.example.com.crt").read_text()


def test_automatic_certificates(api: FakeApi, senryu: Senryu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certs_auto, "_LOOK_EVERY_S", 0.0)
    api.on("GET /apps/myapp", {"name": "myapp", "acm": False})
    assert senryu("certs:auto", "-a", "myapp").out == "=== Automatic Certificate Management is disabled on ⬢ myapp\n\n"
    api.on("POST /apps/myapp/acm", {})
    api.on("GET /apps/myapp/domains", [WWW | {"acm_status": "in-progress"}])
    api.then("GET /apps/myapp/domains", [WWW | {"acm_status": "cert issued"}])
    assert senryu("certs:auto:enable", "-a", "myapp", "--wait").status == 0
    api.on("GET /apps/myapp", {"name": "myapp", "acm": True})
    api.on("GET /apps/myapp/sni-endpoints", [endpoint(acm=True)])
    failing = WWW | {"acm_status": "failing", "acm_status_reason": "DNS problem", "hostname": "a.example.com"}
    api.on("GET /apps/myapp/domains", [WWW | {"acm_status": "cert issued", "sni_endpoint": {"name": "tidy-wren-12345"}}, failing])
    shown = senryu("certs:auto", "-a", "myapp").out
    assert " www.example.com  OK       2027-01-01T00:00:00Z" in shown
    assert "DNS problem" in shown and "certs:auto:refresh" in shown
    api.on("GET /apps/myapp/domains", [WWW | {"acm_status": "failed"}])
    refused = senryu("certs:auto:enable", "-a", "myapp", "--wait")
    assert refused.status == 2 and "www.example.com" in refused.err
    api.on("PATCH /apps/myapp/acm", lambda request: Reply({}) if request.json == {"acm_refresh": True} else Reply({}, 422))
    assert senryu("certs:auto:refresh", "-a", "myapp").status == 0
    api.on("DELETE /apps/myapp/acm", {})
    assert senryu("certs:auto:disable", "-a", "myapp", "--confirm", "myapp").status == 0
