"""Reading what people upload as a certificate: which one is the leaf, what it says, whether the key fits, in which order to send all.

Source: RFC 5280; RFC 8446, 4.4.2 (each certificate is signed by the next); https://devcenter.heroku.com/articles/ssl
"""

from __future__ import annotations

import re
import ssl
import warnings
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ..core.errors import Invalid
from ..core.sni_endpoint import SslCert, check_times
from .read_certificate import ReadCertificate

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_RSA_MIN_BITS = 2048
_CHAIN_MAX = 10
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_WEAK = ("md5", "sha1")


def check_certificate(chain_pem: str, key_pem: str, now: datetime) -> ReadCertificate:
    """Checks a chain (any order, a root is left out) and its key. Blocks for some milliseconds.

    Raises: Invalid for what is no certificate or key, does not belong together, is out of its time, or too weak for browsers.
    """
    certificates, key = _certificates(chain_pem), _key(key_pem)
    public = _public(key)
    leaf = next((each for each in certificates if _public_of(each) == public), None)
    if leaf is None:
        raise Invalid("The private key does not belong to the certificate; send the key that the certificate was requested with.")
    chain = _ordered(leaf, [each for each in certificates if each != leaf])
    _check_strength(leaf, key)
    ssl_cert = _facts(chain, now)
    check_times(ssl_cert, now)
    if not ssl_cert.cert_domains:
        raise Invalid("The certificate is for no host name; request one with the names of your domains.")
    text = "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in chain)
    plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ReadCertificate(ssl_cert, text, plain.decode())


def _certificates(pem: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
        for each in found:
            _public_of(each)
    except (ValueError, UnsupportedAlgorithm):
        found = []
    if not found:
        raise Invalid("The certificate cannot be read; send it in PEM form, with `-----BEGIN CERTIFICATE-----`, then its intermediates.")
    if len(found) > _CHAIN_MAX:
        raise Invalid(f"The chain has {len(found)} certificates; send the certificate and its intermediates only.")
    return list(dict.fromkeys(found))


def _key(pem: str) -> Key:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise Invalid("The private key has a passphrase; remove it (`openssl pkey -in KEY -out PLAIN`) and send it again.") from None
    except (ValueError, UnsupportedAlgorithm):  # without the cause: it could quote the key
        raise Invalid("The private key cannot be read; send it in PEM form, with `-----BEGIN PRIVATE KEY-----`.") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Invalid("The private key is neither RSA nor ECDSA; browsers accept only these.")
    return key


def _check_strength(leaf: x509.Certificate, key: Key) -> None:
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < _RSA_MIN_BITS:
        raise Invalid(f"The RSA key has {key.key_size} bits; browsers need {_RSA_MIN_BITS} or more.")
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVES:
        raise Invalid(f"The key is on the curve {key.curve.name}; browsers know P-256, P-384 and P-521.")
    try:
        algorithm = leaf.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if algorithm is None or algorithm.name in _WEAK:
        raise Invalid("The certificate is signed in a way that browsers refuse; request one signed with SHA-256.")


def _ordered(leaf: x509.Certificate, others: list[x509.Certificate]) -> list[x509.Certificate]:
    """The leaf, who signed it, who signed that; without the root. Raises: Invalid for one that signed none of them."""
    chain = [leaf]
    left = list(others)
    while (signer := next((each for each in left if _signed(chain[-1], each)), None)) is not None:
        left.remove(signer)
        chain.append(signer)
    if left:
        raise Invalid(f"The certificate `{_line(left[0].subject)}` is no part of the chain; send yours and its intermediates only.")
    return [leaf, *(each for each in chain[1:] if not _signed(each, each))]


def _signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _facts(chain: list[x509.Certificate], now: datetime) -> SslCert:
    leaf = chain[0]
    names = _names(leaf)
    return SslCert(
        cert_domains=names,
        issuer=_line(leaf.issuer),
        subject=_line(leaf.subject),
        starts_at=leaf.not_valid_before_utc,
        expires_at=leaf.not_valid_after_utc,
        is_ca_signed=_is_trusted(chain, names, now),
        is_self_signed=_signed(leaf, leaf),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
    )


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """The alternative names; the common name of a certificate that has none."""
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names: list[str] = alternatives.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = [str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except ValueError:
        raise Invalid("The certificate's names cannot be read; request a new one.") from None
    return tuple(dict.fromkeys(name.lower() for name in names))


def _is_trusted(chain: list[x509.Certificate], names: tuple[str, ...], now: datetime) -> bool:
    """Whether the machine's own authorities vouch for it."""
    roots = _roots()
    if roots is None or not names:
        return False
    try:
        name = x509.DNSName(names[0].replace("*.", "any.", 1))
        verifier = PolicyBuilder().store(roots).time(now).build_server_verifier(name)
        verifier.verify(chain[0], chain[1:])
    except (VerificationError, ValueError):
        return False
    return True


@lru_cache(maxsize=1)
def _roots() -> Store | None:
    file = ssl.get_default_verify_paths().cafile
    if file is None:
        return None
    readable = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # some old roots have odd serial numbers
        for pem in re.findall(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----", Path(file).read_text()):
            with suppress(ValueError, UnsupportedAlgorithm):
                root = x509.load_pem_x509_certificate(pem.encode())
                root.public_key()
                readable.append(root)
    return Store(readable) if readable else None


def _line(name: x509.Name) -> str:
    """`/C=US/O=Example/CN=www.example.com`, as Heroku shows it."""
    return "".join(f"/{each.rfc4514_attribute_name}={each.value!s}" for each in name)


def _public(key: Key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _public_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
