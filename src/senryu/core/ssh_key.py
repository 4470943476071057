"""SSH public keys of an account.

Source: schema `key`; RFC 4253 section 6.6, RFC 8709 (the wire form inside the base64).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .errors import Invalid

KINDS = (
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_RSA_LEAST_BITS = 2048
_SHOWN_MAX_CHARS = 16 * 1024


@dataclass(frozen=True, slots=True)
class SshKey:
    """A public key. `fingerprint` is the MD5 of RFC 4716, colons between the bytes, as Heroku shows it."""

    id: UUID
    account_id: UUID
    public_key: str
    comment: str
    fingerprint: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ReadKey:
    """What a line of an authorized_keys file says."""

    public_key: str
    comment: str
    fingerprint: str


def read_key(line: str) -> ReadKey:
    """A checked public key, as `id_ed25519.pub` has it. Raises: Invalid for anything else, for RSA below 2048 bits too."""
    kind, _, rest = line.strip().partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    if kind not in KINDS or len(line) > _SHOWN_MAX_CHARS or "\n" in line.strip() or not comment.isprintable():
        raise Invalid(f"That is no SSH public key; give the one line of a .pub file, of kind {', '.join(KINDS[:3])} or the like.")
    try:
        content = base64.b64decode(encoded, validate=True)
        fields = _fields(content)
    except (binascii.Error, ValueError):
        raise Invalid("The SSH public key is damaged; copy the whole line of the .pub file.") from None
    if not fields or fields[0] != kind.encode() or len(fields) < 2:
        raise Invalid("The SSH public key is damaged; copy the whole line of the .pub file.")
    if kind == "ssh-rsa" and (len(fields) != 3 or int.from_bytes(fields[2], "big").bit_length() < _RSA_LEAST_BITS):
        raise Invalid(f"RSA keys need at least {_RSA_LEAST_BITS} bits; make a new one with `ssh-keygen -t ed25519`.")
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    fingerprint = ":".join(digest[place : place + 2] for place in range(0, 32, 2))
    return ReadKey(f"{kind} {encoded}" + (f" {comment}" if comment else ""), comment, fingerprint)


def _fields(content: bytes) -> list[bytes]:
    """The length-prefixed fields of a key. Raises: ValueError when they do not fit."""
    fields, place = [], 0
    while place < len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        field = content[place + 4 : place + 4 + size]
        if len(field) != size or place + 4 > len(content):
            raise ValueError("short")
        fields.append(field)
        place += 4 + size
    return fields
