"""What the router's files need when senryud runs under systemd's hardening."""

from __future__ import annotations

from pathlib import Path

import pytest

from senryu.routers.private_authority import ensure_certificates


def test_certificates_are_looked_after_where_no_setgid_mode_may_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by the first boot under systemd: RestrictSUIDSGID made every save of the routes fail."""
    ensure_certificates(tmp_path, ["localhost"])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    assert ensure_certificates(tmp_path, ["localhost", "new.localhost"])
    assert not ensure_certificates(tmp_path, ["localhost", "new.localhost"])
