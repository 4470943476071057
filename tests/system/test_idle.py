"""What an idle platform holds in memory, after it has done its work."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from .conftest import NewApp
from .rig import Copy, eventually


def test_senryud_has_one_openssl_after_a_push_and_with_a_certificate_for_the_new_name(platform: Copy, make_app: NewApp) -> None:
    platform.sv("-w", "30", "restart", "senryud")  # others may have brought certificates
    platform.await_health()
    app = make_app()
    app.push()
    app.senryu("config:set", "SECRET=is sealed")
    eventually(lambda: f"{app.name}.localhost" in _names(platform), "the app's name in the certificate")
    loaded = Path(f"/proc/{platform.pid('senryud')}/maps").read_text()
    assert "libcrypto" in loaded
    assert "cryptography" not in loaded


def _names(platform: Copy) -> list[str]:
    shown = x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", platform.tls_port), timeout=10).encode())
    return shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
