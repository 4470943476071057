"""Fernet tokens by the libcrypto that Python's `ssl` holds already: `cryptography` brings one of its own, 10 MiB (decisions/0110).

Source: https://github.com/fernet/spec/blob/master/Spec.md; https://docs.openssl.org/3.0/man3/EVP_EncryptInit/
"""

from __future__ import annotations

import base64
import binascii
import ctypes
import hmac
import os
import time
from collections.abc import Sequence
from functools import lru_cache

_VERSION = b"\x80"
_KEY_BYTES, _IV_BYTES, _HMAC_BYTES, _BLOCK_BYTES = 16, 16, 32, 16
_HEAD_BYTES = len(_VERSION) + 8 + _IV_BYTES
_SEALS, _OPENS = 1, 0


class InvalidToken(Exception):
    """It was not sealed with this key, or is not whole."""


def generate_key() -> bytes:
    """A key as a line of text: 32 random bytes in URL-safe Base64."""
    return base64.urlsafe_b64encode(os.urandom(2 * _KEY_BYTES))


class Fernet:
    """Seals with the first key; opens what any of them sealed. May be used by several threads at once. Raises: ValueError for no key."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [base64.urlsafe_b64decode(key) for key in keys]
        if not self._keys or any(len(key) != 2 * _KEY_BYTES for key in self._keys):
            raise ValueError("a key is 32 bytes in URL-safe Base64, and there must be one")

    def encrypt(self, content: bytes) -> bytes:
        """The token in URL-safe Base64."""
        key, iv = self._keys[0], os.urandom(_IV_BYTES)
        signed = _VERSION + int(time.time()).to_bytes(8, "big") + iv + _aes_cbc(_SEALS, key[_KEY_BYTES:], iv, content)
        return base64.urlsafe_b64encode(signed + _signature(key, signed))

    def decrypt(self, token: bytes) -> bytes:
        """Raises: InvalidToken."""
        try:
            whole = base64.urlsafe_b64decode(token)
        except binascii.Error:
            raise InvalidToken from None
        signed, signature = whole[:-_HMAC_BYTES], whole[-_HMAC_BYTES:]
        iv, sealed = signed[_HEAD_BYTES - _IV_BYTES : _HEAD_BYTES], signed[_HEAD_BYTES:]
        if signed[:1] != _VERSION or not sealed or len(sealed) % _BLOCK_BYTES:
            raise InvalidToken
        for key in self._keys:
            if hmac.compare_digest(signature, _signature(key, signed)):  # before anything is decrypted: no oracle
                return _aes_cbc(_OPENS, key[_KEY_BYTES:], iv, sealed)
        raise InvalidToken


def _signature(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key[:_KEY_BYTES], signed, "sha256")


def _aes_cbc(direction: int, key: bytes, iv: bytes, content: bytes) -> bytes:
    """AES-128-CBC with the padding of PKCS #7. Raises: InvalidToken for a padding that is none."""
    library = _libcrypto()
    made, more = ctypes.c_int(), ctypes.c_int()
    room = ctypes.create_string_buffer(len(content) + _BLOCK_BYTES)
    context = library.EVP_CIPHER_CTX_new()
    try:
        _must(library.EVP_CipherInit_ex(context, library.EVP_aes_128_cbc(), None, key, iv, direction))
        _must(library.EVP_CipherUpdate(context, room, ctypes.byref(made), content, len(content)))
        if library.EVP_CipherFinal_ex(context, ctypes.byref(room, made.value), ctypes.byref(more)) != 1:
            library.ERR_clear_error()  # `ssl` would take it for a connection's
            raise InvalidToken
        return ctypes.string_at(room, made.value + more.value)
    finally:
        library.EVP_CIPHER_CTX_free(context)  # and wipes the key


def _must(status: int) -> None:
    if status != 1:
        raise MemoryError("libcrypto could not encrypt or decrypt")


@lru_cache(1)
def _libcrypto() -> ctypes.CDLL:
    """With the types that it has. Raises: OSError when the machine has none (Debian's Python depends on it)."""
    library = ctypes.CDLL("libcrypto.so.3")
    at, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("EVP_CIPHER_CTX_new", at, ()),
        ("EVP_CIPHER_CTX_free", None, (at,)),
        ("EVP_aes_128_cbc", at, ()),
        ("EVP_CipherInit_ex", number, (at, at, at, ctypes.c_char_p, ctypes.c_char_p, number)),
        ("EVP_CipherUpdate", number, (at, at, at, ctypes.c_char_p, number)),
        ("EVP_CipherFinal_ex", number, (at, at, at)),
        ("ERR_clear_error", None, ()),
    ):
        function = library[name]
        function.restype, function.argtypes = result, arguments
        setattr(library, name, function)
    return library
