"""Certificates as people upload them: read, checked and written anew before a router sees them.

Source: RFC 7468 (PEM), RFC 5280; https://devcenter.heroku.com/articles/ssl#prerequisites
"""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes, PublicKeyTypes

from senryu.core.errors import Invalid
from senryu.routers.bundle import Bundle, as_written

PEM_MAX_BYTES = 30 * 1024  # HAProxy takes it in one of its buffers
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_KEY = re.compile(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^-]+-----END ([A-Z]+ )?PRIVATE KEY-----")


def bundle(pem: str, host: str) -> Bundle:
    """Reads certificates and one private key in any order.

    Raises Invalid when there is no certificate, no single readable key, when they do not belong together, or when it is too long.
    """
    certificates = _certificates(pem, host)
    key = _key(pem, host)
    public = _public_bytes(key.public_key())
    leaf = next((one for one in certificates if _public_bytes(one.public_key()) == public), None)
    if leaf is None:
        raise Invalid(f"The private key for {host} belongs to none of its certificates; send the key the certificate was made with.")
    chain = [leaf, *(one for one in certificates if one is not leaf)]
    parts = [one.public_bytes(serialization.Encoding.PEM) for one in chain]
    parts.append(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    text = b"".join(parts).decode()
    if len(text) > PEM_MAX_BYTES:
        raise Invalid(f"The certificate chain for {host} is longer than {PEM_MAX_BYTES} bytes; send the leaf and its intermediates only.")
    return as_written(text)


def _certificates(pem: str, host: str) -> list[x509.Certificate]:
    try:
        found = [x509.load_pem_x509_certificate(text.encode()) for text in (match[0] for match in _CERTIFICATE.finditer(pem))]
        for one in found:
            one.public_key()
    except (ValueError, UnsupportedAlgorithm):
        found = []
    if not found:
        raise Invalid(f"There is no readable certificate for {host}; send it in PEM form, the leaf first, then its intermediates.")
    return found


def _key(pem: str, host: str) -> PrivateKeyTypes:
    keys = [match[0] for match in _KEY.finditer(pem)]
    try:
        [text] = keys
        return serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    # Without the cause: it could quote the key.
    raise Invalid(f"There is no readable private key for {host}; send one key in PEM form, without a passphrase.")


def _public_bytes(key: CertificatePublicKeyTypes | PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
