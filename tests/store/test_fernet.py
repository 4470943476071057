"""Sealed texts are Fernet tokens, as `cryptography` writes and reads them."""

from __future__ import annotations

import base64
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import fernet as theirs
from hypothesis import given
from hypothesis import strategies as st

from senryu.store.fernet import Fernet, InvalidToken, generate_key

# https://github.com/fernet/spec/blob/master/verify.json and generate.json
SPEC_KEY = b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
SPEC_TOKEN = b"gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
KEY, OTHER = generate_key(), generate_key()


def test_the_specifications_token_opens() -> None:
    assert Fernet([SPEC_KEY]).decrypt(SPEC_TOKEN) == b"hello"


@given(st.binary(max_size=3000))
def test_what_one_seals_the_other_opens(content: bytes) -> None:
    assert theirs.Fernet(KEY).decrypt(Fernet([KEY]).encrypt(content)) == content
    assert Fernet([KEY]).decrypt(theirs.Fernet(KEY).encrypt(content)) == content


def test_the_first_key_seals_and_all_open() -> None:
    both = Fernet([KEY, OTHER])
    assert both.decrypt(theirs.Fernet(OTHER).encrypt(b"x")) == b"x"
    assert theirs.Fernet(KEY).decrypt(both.encrypt(b"x")) == b"x"
    assert both.encrypt(b"x") != both.encrypt(b"x")


@given(st.data())
def test_no_changed_byte_goes_unseen(data: st.DataObject) -> None:
    whole = bytearray(base64.urlsafe_b64decode(Fernet([KEY]).encrypt(b"secret")))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    for token in (base64.urlsafe_b64encode(whole), base64.urlsafe_b64encode(whole[:-1])):
        with pytest.raises(InvalidToken):
            Fernet([KEY]).decrypt(token)


@pytest.mark.parametrize("token", [b"", b"a", b"hello", b"gAAA", SPEC_TOKEN, base64.urlsafe_b64encode(b"\x80" + bytes(24 + 32))])
def test_what_is_no_token_of_this_key_is_refused(token: bytes) -> None:
    with pytest.raises(InvalidToken):
        Fernet([KEY]).decrypt(token)


def test_a_padding_that_is_none_is_refused_and_leaves_ssl_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("senryu.store.fernet._signature", lambda key, signed: bytes(32))
    for _ in range(20):  # one in 256 would have a padding
        with pytest.raises(InvalidToken):
            Fernet([KEY]).decrypt(base64.urlsafe_b64encode(b"\x80" + bytes(8) + KEY[:32] + bytes(32)))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()


@pytest.mark.parametrize("keys", [[], [b"c2hvcnQ="], [KEY, b""]])
def test_a_key_of_another_length_is_no_key(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Fernet(keys)


def test_threads_seal_and_open_at_once() -> None:
    ours = Fernet([KEY])

    def there_and_back(number: int) -> bool:
        content = str(number).encode() * number
        return ours.decrypt(ours.encrypt(content)) == content

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(there_and_back, range(1000)))
