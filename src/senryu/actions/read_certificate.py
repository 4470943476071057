"""What an accepted certificate is, and the way to `check_certificate`, which is loaded by who first brings one (decisions/0110)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..core.sni_endpoint import SslCert


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """An accepted certificate: `chain` from the leaf upward and `key` (PKCS #8), both PEM written anew."""

    ssl_cert: SslCert
    chain: str
    key: str


def read_certificate(chain_pem: str, key_pem: str, now: datetime) -> ReadCertificate:
    """See check_certificate. Blocks, for a tenth of a second the first time."""
    from .check_certificate import check_certificate

    return check_certificate(chain_pem, key_pem, now)
