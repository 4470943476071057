"""Certificates and their orders in both databases: what goes in comes out the same, and keys are sealed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from senryu.core.certificate_order import Authorization, CertificateOrder, PlacedOrder
from senryu.core.domain import Domain
from senryu.core.sni_endpoint import SniEndpoint, SslCert
from senryu.store import apps, certificate_orders, domains, sni_endpoints
from senryu.store.database import Database
from senryu.store.vault import Vault

from .conftest import NOW, Rows

CERT = SslCert(("www.example.com", "*.example.com"), "CN=Root", "CN=www", NOW, NOW + timedelta(days=90), True, False, "f" * 64)


async def test_a_certificate_is_kept_with_its_key_sealed(db: Database, rows: Rows, vault: Vault) -> None:
    endpoint = SniEndpoint(uuid4(), rows.app.id, "tidy-wren-12345", None, "CHAIN\n", CERT, False, NOW, NOW)
    domain = Domain(uuid4(), rows.app.id, "www.example.com", NOW, NOW)
    async with db.transaction() as tx:
        await sni_endpoints.create_sni_endpoint(tx, endpoint, "s3cret", vault=vault)
        await domains.create_domain(tx, domain)
        assert await sni_endpoints.list_sni_endpoints(tx, rows.app.id) == [endpoint]
        assert await sni_endpoints.list_sni_endpoints(tx, uuid4()) == []
        assert await sni_endpoints.wanted_certificates(tx) == {}
        linked = replace(domain, sni_endpoint_id=endpoint.id, acm_status="failing", acm_status_reason="no such name")
        await domains.update_domain(tx, linked)
        assert await domains.find_domain(tx, "www.example.com") == linked
        assert await sni_endpoints.wanted_certificates(tx) == {"www.example.com": (endpoint.id, "f" * 64)}
        assert await sni_endpoints.bundles(tx, [endpoint.id], vault=vault) == {endpoint.id: "CHAIN\ns3cret"}
        rows_found = (await tx.execute(text("SELECT sealed_key FROM sni_endpoints"))).all()
        assert "s3cret" not in str(rows_found)
        changed = replace(endpoint, display_name="mine", ssl_cert=replace(CERT, fingerprint="e" * 64), certificate_chain="NEW")
        await sni_endpoints.update_sni_endpoint(tx, changed, None, vault=vault)
        assert await sni_endpoints.list_sni_endpoints(tx) == [changed]
        assert await sni_endpoints.bundles(tx, [endpoint.id], vault=vault) == {endpoint.id: "NEW\ns3cret"}
        await sni_endpoints.update_sni_endpoint(tx, changed, "other", vault=vault)
        assert await sni_endpoints.bundles(tx, [endpoint.id], vault=vault) == {endpoint.id: "NEW\nother"}
        await sni_endpoints.delete_sni_endpoint(tx, endpoint.id)
        assert (await sni_endpoints.list_sni_endpoints(tx), await sni_endpoints.wanted_certificates(tx)) == ([], {})
        assert await domains.find_domain(tx, "www.example.com") == replace(linked, sni_endpoint_id=None)


async def test_an_order_survives_with_its_key_sealed(db: Database, rows: Rows, vault: Vault) -> None:
    domain = Domain(uuid4(), rows.app.id, "www.example.com", NOW, NOW)
    placed = PlacedOrder("https://ca/order/1", (Authorization("token", "token.thumb"),))
    order = CertificateOrder(domain.id, placed, 2, NOW, NOW, NOW)
    async with db.transaction() as tx:
        await domains.create_domain(tx, domain)
        assert await domains.list_acm_domains(tx) == []
        await apps.update_app(tx, replace(rows.app, is_acm=True))
        assert await domains.list_acm_domains(tx) == [domain]
        await certificate_orders.put_order(tx, order, "s3cret", vault=vault)
        assert await certificate_orders.list_orders(tx, vault=vault) == [order]
        assert await certificate_orders.order_key(tx, domain.id, vault=vault) == "s3cret"
        assert "s3cret" not in str((await tx.execute(text("SELECT * FROM certificate_orders"))).all())
        waiting = replace(order, placed=None, failures=3, next_try_at=NOW + timedelta(hours=1))
        await certificate_orders.put_order(tx, waiting, None, vault=vault)
        assert await certificate_orders.list_orders(tx, vault=vault) == [waiting]
        assert await certificate_orders.order_key(tx, domain.id, vault=vault) is None
        await certificate_orders.delete_orders(tx, rows.app.id)
        assert await certificate_orders.list_orders(tx, vault=vault) == []
        await certificate_orders.put_order(tx, order, "s3cret", vault=vault)
        await domains.delete_domain(tx, domain.id)
        assert await certificate_orders.list_orders(tx, vault=vault) == []


async def test_the_account_at_an_authority_is_kept(db: Database, vault: Vault) -> None:
    async with db.transaction() as tx:
        assert await certificate_orders.acme_account(tx, "https://ca/directory", vault=vault) is None
        await certificate_orders.create_acme_account(tx, "https://ca/directory", "s3cret", vault=vault)
        assert await certificate_orders.acme_account(tx, "https://ca/directory", vault=vault) == ("s3cret", None)
        assert "s3cret" not in str((await tx.execute(text("SELECT * FROM acme_accounts"))).all())
        await certificate_orders.set_acme_account_url(tx, "https://ca/directory", "https://ca/account/1")
        assert await certificate_orders.acme_account(tx, "https://ca/directory", vault=vault) == ("s3cret", "https://ca/account/1")
