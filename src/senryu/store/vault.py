"""The vault: what is secret is encrypted before it reaches the database, with a key that is not in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ..core.errors import Unavailable
from .fernet import Fernet, InvalidToken, generate_key


class Vault:
    """Seals and opens small texts. Several keys may be given, newest first: old ones still open, the newest seals (rotation)."""

    def __init__(self, keys: list[bytes]) -> None:
        self._fernet = Fernet(keys)

    def seal(self, content: Mapping[str, str]) -> bytes:
        """Encrypts config vars."""
        return self._fernet.encrypt(json.dumps(dict(content)).encode())

    def open(self, sealed: bytes) -> dict[str, str]:
        """Decrypts config vars. Raises: Unavailable when the key file is not the one they were sealed with."""
        try:
            opened: dict[str, str] = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise Unavailable("Config vars cannot be decrypted: the key file is not the one of this database; restore it.") from None
        return opened


def vault_at(path: Path) -> Vault:
    """The vault of a key file (one key a line, newest first), made with mode 0600 when there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path) if not path.exists() else None
        fresh.unlink()
    return Vault(path.read_bytes().split())
