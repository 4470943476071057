"""SNI endpoints: an app's certificates for its custom domains, and which of its names a certificate is for.

Source: schema `sni-endpoint`; https://devcenter.heroku.com/articles/ssl; RFC 6125 (wildcards stand for one label).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from .errors import Invalid
from .webhook import iso

_RENEW_BEFORE = timedelta(days=30)
_RENEW_SHARE = 3
_SKEW = timedelta(hours=1)
_NAMES_TOLD = 5
_DISPLAY_NAME_MAX_CHARS = 100


@dataclass(frozen=True, slots=True)
class SslCert:
    """What a certificate says of itself. `fingerprint` is the SHA-256 of its DER, lower-case hexadecimal."""

    cert_domains: tuple[str, ...]
    issuer: str
    subject: str
    starts_at: datetime
    expires_at: datetime
    is_ca_signed: bool
    is_self_signed: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SniEndpoint:
    """A certificate of an app: an uploaded one, or (`is_acm`) one that the platform fetched and renews. The key is the store's to open."""

    id: UUID
    app_id: UUID
    name: str
    display_name: str | None
    certificate_chain: str
    ssl_cert: SslCert
    is_acm: bool
    created_at: datetime
    updated_at: datetime


def data_of(endpoint: SniEndpoint, app_name: str, domain_ids: Iterable[UUID]) -> dict[str, Any]:
    """The schema's `sni-endpoint`, as the API and webhooks tell it; the private key is in none of its fields."""
    cert = endpoint.ssl_cert
    return {
        "app": {"id": str(endpoint.app_id), "name": app_name},
        "certificate_chain": endpoint.certificate_chain,
        "created_at": iso(endpoint.created_at),
        "display_name": endpoint.display_name,
        "domains": [str(id) for id in domain_ids],
        "id": str(endpoint.id),
        "name": endpoint.name,
        "ssl_cert": {
            "acm": endpoint.is_acm,
            "ca_signed?": cert.is_ca_signed,
            "cert_domains": list(cert.cert_domains),
            "expires_at": iso(cert.expires_at),
            "id": str(uuid5(endpoint.id, cert.fingerprint)),
            "issuer": cert.issuer,
            "self_signed?": cert.is_self_signed,
            "starts_at": iso(cert.starts_at),
            "subject": cert.subject,
        },
        "updated_at": iso(endpoint.updated_at),
    }


def covers(cert_domains: Iterable[str], hostname: str) -> bool:
    """Whether a certificate with these names is for a host name, or for the whole of `*.example.com`."""
    names = {name.lower() for name in cert_domains}
    return hostname in names or f"*.{hostname.partition('.')[2]}" in names


def check_covers(ssl_cert: SslCert, hostname: str, name: str) -> None:
    """Raises: Invalid, naming what the certificate is for."""
    if covers(ssl_cert.cert_domains, hostname):
        return
    told = ", ".join(ssl_cert.cert_domains[:_NAMES_TOLD]) + (", …" if len(ssl_cert.cert_domains) > _NAMES_TOLD else "")
    raise Invalid(f"The certificate {name} is for {told} and not for {hostname}; use one that has this name.")


def check_times(ssl_cert: SslCert, now: datetime) -> None:
    """Raises: Invalid for a certificate that browsers would not accept today."""
    if ssl_cert.expires_at <= now:
        raise Invalid(f"The certificate expired on {ssl_cert.expires_at:%Y-%m-%d}; renew it and send the new one.")
    if ssl_cert.starts_at > now + _SKEW:
        raise Invalid(f"The certificate is not valid before {ssl_cert.starts_at:%Y-%m-%d}; send it then.")


def renew_at(ssl_cert: SslCert) -> datetime:
    """When a certificate is to be fetched anew: 30 days before its end, or after two thirds of a shorter life."""
    life = ssl_cert.expires_at - ssl_cert.starts_at
    return ssl_cert.expires_at - min(_RENEW_BEFORE, life / _RENEW_SHARE)


def display_name(text: str | None) -> str | None:
    """A checked display name; an empty one is none. Raises: Invalid."""
    if text is None or not text.strip():
        return None
    if len(text) > _DISPLAY_NAME_MAX_CHARS or not text.isprintable():
        raise Invalid(f"`display_name` must be up to {_DISPLAY_NAME_MAX_CHARS} printable characters.")
    return text.strip()
