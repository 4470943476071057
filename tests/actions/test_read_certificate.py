"""Certificates as people upload them: what is accepted, in which form it comes out, and what is said of the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authorities.rig import certificate
from senryu.actions.read_certificate import read_certificate
from senryu.core.errors import Invalid

NOW = datetime.now(UTC)


def test_a_chain_in_any_order_comes_out_from_the_leaf_upward_without_its_root() -> None:
    root_pem, _, root = certificate("Root", is_ca=True)
    middle_pem, _, middle = certificate("Middle", is_ca=True, issuer=(root[0], root[1]))  # type: ignore[arg-type]
    leaf_pem, key, _ = certificate("www.example.com", "*.example.org", issuer=(middle[0], middle[1]))  # type: ignore[arg-type]
    read = read_certificate(root_pem + middle_pem + "hello\n" + leaf_pem + leaf_pem, key, NOW)
    assert read.chain == leaf_pem + middle_pem
    assert read.ssl_cert.cert_domains == ("www.example.com", "*.example.org")
    assert (read.ssl_cert.issuer, read.ssl_cert.subject) == ("/CN=Middle", "/CN=www.example.com")
    assert (read.ssl_cert.is_self_signed, read.ssl_cert.is_ca_signed) == (False, False)
    assert len(read.ssl_cert.fingerprint) == 64
    assert read.key == key


def test_one_signed_by_itself_is_said_to_be() -> None:
    pem, key, _ = certificate("www.example.com")
    read = read_certificate(pem, key, NOW)
    assert read.ssl_cert.is_self_signed and read.chain == pem
    assert read.ssl_cert.expires_at - NOW < timedelta(days=91)


def test_what_cannot_be_served_is_refused_with_the_reason() -> None:
    pem, key, _ = certificate("www.example.com")
    other_pem, other_key, _ = certificate("www.example.com")
    small, small_key, _ = certificate("www.example.com", key=rsa.generate_private_key(65537, 1024))
    odd, odd_key, _ = certificate("www.example.com", key=ec.generate_private_key(ec.SECP256K1()))
    late, late_key, _ = certificate("www.example.com", days=-0.5)
    early, early_key, _ = certificate("www.example.com", starts_in_days=5)
    locked = serialization.load_pem_private_key(key.encode(), None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"s3cret")
    )
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for chain, private, said in (
        ("junk", key, "certificate cannot be read"),
        (pem.replace("M", "m"), key, "certificate cannot be read"),
        (pem, "junk", "private key cannot be read"),
        (pem, other_key, "does not belong"),
        (pem, locked.decode(), "passphrase"),
        (pem, edwards.decode(), "neither RSA nor ECDSA"),
        (pem + other_pem, key, "no part of the chain"),
        (small, small_key, "1024 bits"),
        (odd, odd_key, "secp256k1"),
        (late, late_key, "expired on"),
        (early, early_key, "not valid before"),
        (pem * 11, key, "11 certificates"),
    ):
        with pytest.raises(Invalid) as refusal:
            read_certificate(chain, private, NOW)
        assert said in refusal.value.message, refusal.value.message
        assert "PRIVATE KEY-----\n" not in refusal.value.message
