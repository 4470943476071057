from __future__ import annotations

import base64

import pytest

from senryu.core.errors import Invalid
from senryu.core.ssh_key import read_key

_ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0UlkBSmqYjlT0KQ4LdpnNyvTSXQFmkQfCkQ0TMbCnP"


def _rsa(bits: int) -> str:
    fields = (b"ssh-rsa", b"\x01\x00\x01", b"\x00" + (1 << bits - 1).to_bytes(bits // 8, "big"))
    content = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return f"ssh-rsa {base64.b64encode(content).decode()} me"


def test_a_public_key_is_read_with_its_comment_and_fingerprint() -> None:
    read = read_key(f"{_ED25519} ada@engine\n")
    assert read.public_key == f"{_ED25519} ada@engine"
    assert read.comment == "ada@engine"
    assert len(read.fingerprint) == 47
    assert read_key(_ED25519).fingerprint == read.fingerprint


def test_an_rsa_key_needs_2048_bits() -> None:
    assert read_key(_rsa(2048)).comment == "me"
    with pytest.raises(Invalid, match="2048 bits"):
        read_key(_rsa(1024))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "junk",
        "ssh-ed25519",
        "ssh-ed25519 !!!",
        "ssh-ed25519 AAAA",
        _ED25519[:-4],
        _ED25519.replace("ssh-ed25519", "ssh-rsa"),
        f"{_ED25519}\n{_ED25519}",
        f"{_ED25519} a\x1b[2Jb",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(Invalid):
        read_key(line)
