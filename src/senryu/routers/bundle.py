"""A certificate with its chain and key, as a router serves it. Source: RFC 7468 (PEM)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A certificate with its chain and key: `text` is PEM (leaf, chain, PKCS #8 key) without blank lines.

    `fingerprint` is the SHA-256 and `sha1` the SHA-1 of the leaf's DER, both lower-case hexadecimal.
    """

    text: str
    fingerprint: str
    sha1: str


def as_written(text: str) -> Bundle:
    """The bundle whose text was checked and written by `pem.bundle`. Raises: ValueError when it does not begin with a certificate."""
    before, begun, rest = text.partition(_BEGIN)
    body, ended, _ = rest.partition(_END)
    if before or not (begun and ended):
        raise ValueError("there is no certificate at the beginning")
    der = base64.b64decode("".join(body.split()), validate=True)
    return Bundle(text, hashlib.sha256(der).hexdigest(), hashlib.sha1(der, usedforsecurity=False).hexdigest())
