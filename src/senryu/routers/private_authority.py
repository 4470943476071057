"""A private certificate authority for a platform without public names, and the certificate it gives the router.

Clients trust `ca.pem` once; what it signs is renewed without them. `python -m senryu.routers.private_authority FOLDER`, names as lines
of its input, does it in a process of its own. Source: RFC 5280; CA/Browser Forum limits (398 days).
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from senryu.routers.whole import alone, put

_CA_LIFE = timedelta(days=3650)
_LIFE = timedelta(days=397)
_RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(hours=1)


def ensure_certificates(folder: Path, names: Sequence[str]) -> bool:
    """Makes what is missing or expires within 30 days: `ca.pem`, `ca.key` (0600), `certs/default.pem` (chain and key, 0640).

    The router's certificate is for `names` and the loopback addresses; a name more makes a new one.
    Gives True when the router's certificate is a new one. Blocks. Raises OSError.
    """
    (folder / "certs").mkdir(parents=True, exist_ok=True)
    with alone(folder):
        return _ensured(folder, names)


def _ensured(folder: Path, names: Sequence[str]) -> bool:
    _set_mode(folder, 0o2755)  # anyone may read whom to trust
    _set_mode(folder / "certs", 0o2750)
    ca, ca_key, ca_is_new = _ensure_ca(folder)
    path = folder / "certs" / "default.pem"
    if not ca_is_new and path.exists() and _is_good(path.read_bytes(), names):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]
    certificate = (
        _certificate(names[0], key, issuer=ca.subject, life=_LIFE)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    put(path, _pem(certificate) + _pem(ca) + _key_pem(key), 0o640)
    return True


def _set_mode(folder: Path, mode: int) -> None:
    """systemd's RestrictSUIDSGID refuses such a mode to the platform, even one that is there; preparing it set them at boot."""
    if stat.S_IMODE(folder.stat().st_mode) != mode:
        folder.chmod(mode)


def _ensure_ca(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey, bool]:
    path, key_path = folder / "ca.pem", folder / "ca.key"
    if path.exists() and key_path.exists():
        ca = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and ca.not_valid_after_utc - _now() > _LIFE:
            return ca, key, False
    key = ec.generate_private_key(ec.SECP256R1())
    ca = (
        _certificate("Senryu private CA", key, issuer=None, life=_CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    put(key_path, _key_pem(key), 0o600)
    put(path, _pem(ca), 0o644)
    return ca, key, True


_CA_USAGE = x509.KeyUsage(
    digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, *, issuer: x509.Name | None, life: timedelta) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _CLOCK_SKEW)
        .not_valid_after(_now() + life)
    )


def _is_good(pem: bytes, names: Sequence[str]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    has_names = set(names) <= set(alternatives.get_values_for_type(x509.DNSName))
    return has_names and certificate.not_valid_after_utc - _now() > _RENEW_BEFORE


def _now() -> datetime:
    return datetime.now(UTC)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def main() -> int:
    """Says `new` or `kept`; or the number and text of the OSError, with status 1."""
    try:
        print("new" if ensure_certificates(Path(sys.argv[1]), sys.stdin.read().split()) else "kept")
    except OSError as problem:
        print(problem.errno or 0, problem.strerror or problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
