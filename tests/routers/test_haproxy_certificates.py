"""Certificates of single hosts and ACME challenges, on the real HAProxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from senryu.core.errors import Invalid
from senryu.core.route import RouteMode
from senryu.routers.haproxy import HAProxyRouter
from senryu.routers.haproxy.runtime import ask

from .certificate import certificate
from .conftest import Dynos
from .rig import Rig, answer, route, running_haproxy

pytestmark = pytest.mark.system
Started = tuple[Rig, HAProxyRouter]
PATH = "/.well-known/acme-challenge/abc-123"


async def served(rig: Rig, name: str | None) -> str:
    """The fingerprint of what a visitor gets who asks for this name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", rig.settings.tls_port, ssl=context, server_hostname=name or "")
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex()


def own(rig: Rig) -> str:
    """The platform's own certificate."""
    [leaf, _] = x509.load_pem_x509_certificates((rig.settings.certificates / "default.pem").read_bytes())
    return leaf.fingerprint(hashes.SHA256()).hex()


async def test_each_host_gets_its_own_certificate_and_strangers_get_the_platforms(haproxy: Started) -> None:
    rig, router = haproxy
    shop, wild, replaced = certificate("shop.example.com", "localhost", "api.localhost"), certificate("*.example.com"), certificate("x")
    before = rig.haproxy_ids()
    await router.put_certificate("shop.example.com", shop.pem)
    await router.put_certificate("*.example.com", wild.pem)
    assert await served(rig, "shop.example.com") == shop.fingerprint
    assert await served(rig, "blog.example.com") == wild.fingerprint
    for stranger in ("example.com", "a.b.example.com", "unknown.org", "localhost", "api.localhost", None):
        assert await served(rig, stranger) == own(rig)  # also for names that are in somebody's certificate
    await router.put_certificate("shop.example.com", replaced.pem)
    assert await served(rig, "shop.example.com") == replaced.fingerprint
    await router.remove_certificate("shop.example.com")
    assert await served(rig, "shop.example.com") == wild.fingerprint
    await router.remove_certificate("*.example.com")
    assert await served(rig, "shop.example.com") == own(rig)
    assert rig.haproxy_ids() == before


async def test_certificates_outlive_haproxy(haproxy: Started) -> None:
    rig, router = haproxy
    kept, gone = certificate("shop.example.com"), certificate("*.example.com")
    await router.put_certificate("shop.example.com", kept.pem)
    await router.put_certificate("*.example.com", gone.pem)
    await router.remove_certificate("*.example.com")
    rig.stop(kill=True)
    await rig.start()
    assert await router.certificates() == {"shop.example.com": kept.fingerprint}
    assert await served(rig, "shop.example.com") == kept.fingerprint
    assert await served(rig, "blog.example.com") == own(rig)
    files = list(rig.settings.host_certificates.iterdir())
    assert [(file.name, file.stat().st_mode & 0o777) for file in files] == [("shop.example.com.pem", 0o640)]


async def test_one_that_the_tls_library_refuses_is_never_written(haproxy: Started) -> None:
    rig, router = haproxy
    with pytest.raises(Invalid):
        await router.put_certificate("shop.example.com", certificate("shop.example.com", rsa_bits=1024).pem)
    assert list(rig.settings.host_certificates.iterdir()) == [] and await router.certificates() == {}
    good = certificate("shop.example.com", rsa_bits=2048)
    await router.put_certificate("shop.example.com", good.pem)
    with pytest.raises(Invalid):
        await router.put_certificate("shop.example.com", certificate("shop.example.com", rsa_bits=1024).pem)
    assert await served(rig, "shop.example.com") == good.fingerprint
    rig.stop()
    await rig.start()
    assert await served(rig, "shop.example.com") == good.fingerprint


async def test_a_change_cut_off_half_way_can_be_done_again(haproxy: Started) -> None:
    rig, router = haproxy
    cut_off, good = certificate("cut.example.com"), certificate("shop.example.com")
    path = rig.settings.host_certificates / "cut.example.com.pem"
    payload = cut_off.pem.rstrip()
    await ask(rig.settings.socket, [f"new ssl cert {path}", f"set ssl cert {path} <<\n{payload}"])
    await router.put_certificate("shop.example.com", good.pem)
    await router.put_certificate("cut.example.com", cut_off.pem)
    assert await router.certificates() == {"shop.example.com": good.fingerprint, "cut.example.com": cut_off.fingerprint}
    path.write_text(good.pem)
    assert await router.certificates() == {"shop.example.com": good.fingerprint, "cut.example.com": ""}
    await router.remove_certificate("cut.example.com")
    assert await router.certificates() == {"shop.example.com": good.fingerprint}


@pytest.fixture
async def platform(haproxy: Started) -> AsyncIterator[asyncio.Server]:
    """Something behind the platform's socket that answers with the path."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(65536)  # nothing, when the router only looks whether somebody is there
        await answer(head.split(b" ")[1] if head else b"")(reader, writer, head)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, haproxy[0].settings.platform_socket)
    yield server
    server.close()


async def test_a_challenge_reaches_the_platform_whatever_its_host(haproxy: Started, dynos: Dynos, platform: asyncio.Server) -> None:
    rig, router = haproxy
    serving, stopped = route(await dynos(answer(b"app"))), route(mode=RouteMode.MAINTENANCE)
    for app in (serving, stopped):
        await router.apply(app)
    await router.set_challenges([PATH])
    for host in (serving.hosts[0], stopped.hosts[0], "nobody.example.com"):
        assert (await rig.get(host, PATH + "?x=1")).text == PATH + "?x=1"
    assert (await rig.get(serving.hosts[0], PATH + "4")).text == "app"
    assert (await rig.get(serving.hosts[0], "/x" + PATH)).text == "app"
    rig.stop(kill=True)
    await rig.start()
    assert (await rig.get("nobody.example.com", PATH)).text == PATH
    await router.set_challenges([])
    assert (await rig.get("nobody.example.com", PATH)).status_code == 404


async def test_two_copies_of_haproxy_do_not_share_certificates() -> None:
    async with running_haproxy() as (one, router), running_haproxy() as (two, _):
        await router.put_certificate("shop.example.com", certificate("shop.example.com").pem)
        assert await served(two, "shop.example.com") == own(two) != await served(one, "shop.example.com")
