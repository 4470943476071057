"""A password as PostgreSQL keeps it, so that no server log or statement ever has the password itself.

Source: RFC 5802, RFC 7677; PostgreSQL documentation, "Password Authentication" (the form of `rolpassword`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac

_ITERATIONS = 4096


def verifier(password: str, salt: bytes) -> str:
    """`SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>`. Takes an ASCII password, which SASLprep leaves as it is."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt_text}${stored_text}:{server_text}"
