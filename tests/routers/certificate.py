"""Self-signed certificates for any names, with their keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """PEM texts, and the SHA-256 of the DER as hexadecimal."""

    chain: str
    key: str
    encrypted_key: str
    fingerprint: str

    @property
    def pem(self) -> str:
        return self.chain + self.key


def certificate(*names: str, rsa_bits: int | None = None) -> Certificate:
    """A fresh one for these names, with an EC key or an RSA key of so many bits."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = ec.generate_private_key(ec.SECP256R1())
    if rsa_bits is not None:
        key = rsa.generate_private_key(65537, rsa_bits)
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Certificate(
        made.public_bytes(pem).decode(),
        key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode(),
        key.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"secret")).decode(),
        made.fingerprint(hashes.SHA256()).hex(),
    )
