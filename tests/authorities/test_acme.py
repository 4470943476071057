"""The ACME room against a real authority: Let's Encrypt's test server, with what visitors would see served by the test."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from senryu.actions.read_certificate import read_certificate
from senryu.authorities.acme import AcmeAuthority
from senryu.core.certificate_order import CHALLENGE_PATH, AccountUnknown, PlacedOrder, Refused
from senryu.core.errors import PlatformError, Unavailable

from .rig import AVAILABLE, Pebble, free_port, pebble

pytestmark = [pytest.mark.system, pytest.mark.skipif(not AVAILABLE, reason="needs pebble: apt-get install pebble")]


@pytest.fixture(scope="module")
def shown() -> Iterator[tuple[dict[str, str], int]]:
    """What the web shows on every host, by path, and its port."""
    paths: dict[str, str] = {}

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = paths.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield paths, server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def ca(shown: tuple[dict[str, str], int]) -> Iterator[Pebble]:
    with pebble(shown[1]) as started:
        yield started


@pytest.fixture
def authority(ca: Pebble) -> AcmeAuthority:
    return AcmeAuthority(ca.directory, email="operator@example.com", ca_file=str(ca.ca_file))


@pytest.mark.parametrize(("code", "tries"), [("badNonce", 4), ("unauthorized", 1)])
async def test_a_stale_nonce_is_no_failure_and_a_real_one_is_told_at_once(code: str, tries: int) -> None:
    from acme import messages

    calls = []

    def work() -> str:
        calls.append(1)
        if len(calls) <= tries:
            raise messages.Error.from_json({"type": messages.ERROR_PREFIX + code, "detail": "no"})
        return "done"

    asked = AcmeAuthority("https://unused.test/")._call(work)
    if code == "badNonce":
        assert await asked == "done"
    else:
        with pytest.raises(PlatformError):
            await asked
        assert len(calls) == 1


async def _end(authority: AcmeAuthority, account: tuple[str, str], placed: PlacedOrder, hostname: str, key: str) -> str:
    async with asyncio.timeout(30):
        while (chain := await authority.advance(*account, placed.url, hostname, key)) is None:
            await asyncio.sleep(0.1)
    return chain


async def test_an_order_is_signed_once_its_answer_is_seen(authority: AcmeAuthority, shown: tuple[dict[str, str], int]) -> None:
    account_key, key = authority.new_key(), authority.new_key()
    account = (account_key, await authority.register(account_key))
    assert await authority.register(account_key) == account[1]
    placed = await authority.place(*account, "www.example.com", key)
    [asked] = placed.authorizations
    shown[0][CHALLENGE_PATH + asked.token] = asked.answer
    chain = await _end(authority, account, placed, "www.example.com", key)
    read = read_certificate(chain, key, datetime.now(UTC))
    assert read.ssl_cert.cert_domains == ("www.example.com",)
    assert not read.ssl_cert.is_ca_signed and not read.ssl_cert.is_self_signed
    # Asked again, as after a crash, it gives the same.
    assert await authority.advance(*account, placed.url, "www.example.com", key) == chain


async def test_an_answer_that_is_not_there_is_a_reason_for_people(authority: AcmeAuthority) -> None:
    account_key, key = authority.new_key(), authority.new_key()
    account = (account_key, await authority.register(account_key))
    placed = await authority.place(*account, "dark.example.com", key)
    with pytest.raises(Refused) as refusal:
        await _end(authority, account, placed, "dark.example.com", key)
    assert "404" in refusal.value.message and "\n" not in refusal.value.message


async def test_what_the_authority_does_not_know_or_want_is_refused(authority: AcmeAuthority) -> None:
    account_key, key = authority.new_key(), authority.new_key()
    url = await authority.register(account_key)
    with pytest.raises(AccountUnknown):
        await authority.place(account_key, url + "0", "www.example.com", key)
    with pytest.raises(Refused):
        await authority.advance(account_key, url, url.replace("my-account", "my-order"), "www.example.com", key)
    with pytest.raises(Refused):
        await authority.place(account_key, url, "no_such_name", key)


async def test_an_authority_that_is_away_or_not_trusted_is_unavailable(ca: Pebble, tmp_path: Path) -> None:
    away = AcmeAuthority(f"https://localhost:{free_port()}/dir")
    with pytest.raises(Unavailable, match="does not answer"):
        await away.register(away.new_key())
    with pytest.raises(Unavailable, match="does not answer"):
        await AcmeAuthority(ca.directory).register(away.new_key())
    with pytest.raises(Unavailable):
        await AcmeAuthority(ca.directory.removesuffix("dir"), ca_file=str(ca.ca_file)).register(away.new_key())
