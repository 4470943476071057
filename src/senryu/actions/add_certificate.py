"""Uploading certificates, replacing and removing them.

Source: https://devcenter.heroku.com/articles/ssl
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from uuid import uuid4

from ..core import limits
from ..core.account import Account
from ..core.app import App
from ..core.certificate_order import Certifying
from ..core.clock import Clock
from ..core.errors import Invalid, NotFound
from ..core.log_line import LogWriter
from ..core.names import two_words
from ..core.sni_endpoint import SniEndpoint, SslCert, covers, data_of, display_name
from ..core.webhook_data import Thing
from ..store.apps import lock_app, update_app
from ..store.certificate_orders import delete_orders
from ..store.database import Database, Transaction
from ..store.domains import list_domains, update_domain
from ..store.sni_endpoints import create_sni_endpoint, delete_sni_endpoint, list_sni_endpoints, update_sni_endpoint
from ..store.vault import Vault
from .note import note
from .read_certificate import ReadCertificate, read_certificate
from .tell import tell


async def named_endpoint(tx: Transaction, app: App, name_or_id: str) -> SniEndpoint:
    """An app's certificate by its name, display name or id. Raises: NotFound."""
    found = [e for e in await list_sni_endpoints(tx, app.id) if name_or_id in (e.name, str(e.id), e.display_name)]
    if not found:
        raise NotFound(f"Couldn't find the certificate {name_or_id[:80]} of {app.name}; `senryu certs` lists them.", app=app.name)
    return found[0]


async def thing_of(tx: Transaction, app: App, endpoint: SniEndpoint) -> Thing:
    """A certificate as webhooks are told of it."""
    own = [domain.id for domain in await list_domains(tx, app.id) if domain.sni_endpoint_id == endpoint.id]
    return Thing("sni-endpoint", data_of(endpoint, app.name, own))


async def _read(chain: str, key: str, clock: Clock) -> ReadCertificate:
    if len(chain) > limits.CERTIFICATE_CHAIN_MAX_BYTES or len(key) > limits.CERTIFICATE_KEY_MAX_BYTES:
        raise Invalid("The certificate chain or key is too long; send the certificate, its intermediates and one key.")
    return await asyncio.to_thread(read_certificate, chain, key, clock.now())


async def add_certificate(
    app: App,
    chain: str,
    key: str,
    *,
    shown_as: str | None = None,
    by: Account,
    db: Database,
    vault: Vault,
    log_writer: LogWriter,
    clock: Clock,
) -> SniEndpoint:
    """Stores a certificate (PEM) and its key. It is served once a domain is given it.

    Raises: Invalid for what read_certificate refuses, or when the app has its share; NotFound when the app is destroyed meanwhile.
    """
    read, now = await _read(chain, key, clock), clock.now()
    name = two_words(secrets.randbits(64))
    made = SniEndpoint(uuid4(), app.id, name, display_name(shown_as), read.chain, read.ssl_cert, False, now, now)
    async with db.transaction() as tx:
        if await lock_app(tx, app.id) is None:
            raise NotFound(f"{app.name} is destroyed.")
        if len(await list_sni_endpoints(tx, app.id)) >= limits.SNI_ENDPOINTS_PER_APP_MAX:
            raise Invalid(f"{app.name} has {limits.SNI_ENDPOINTS_PER_APP_MAX} certificates already; remove one first.", app=app.name)
        await create_sni_endpoint(tx, made, read.key, vault=vault)
        await note(tx, app, await thing_of(tx, app, made), "create", now=now, by=by.id)
    await tell(app.id, "api", f"Add certificate {name} by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return made


async def update_certificate(
    app: App,
    name_or_id: str,
    *,
    chain: str | None,
    key: str | None,
    shown_as: str | None,
    by: Account,
    db: Database,
    vault: Vault,
    certifying: Certifying,
    log_writer: LogWriter,
    clock: Clock,
) -> SniEndpoint:
    """Puts another certificate in the place of one, or names it. One that the platform fetched becomes one's own, and certs:auto ends.

    Raises: Invalid for what read_certificate refuses, for a certificate without its key, or when domains would be without one; NotFound.
    """
    if (chain is None) != (key is None):
        raise Invalid("Send `certificate_chain` and `private_key` together.")
    read = await _read(chain, key, clock) if chain is not None and key is not None else None
    async with db.transaction() as tx:
        now_app = await lock_app(tx, app.id)
        before = await named_endpoint(tx, app, name_or_id)
        changed = replace(before, updated_at=clock.now(), display_name=before.display_name if shown_as is None else display_name(shown_as))
        if read is not None:
            await _check_keeps_domains(tx, app, before, read.ssl_cert)
            changed = replace(changed, certificate_chain=read.chain, ssl_cert=read.ssl_cert, is_acm=False)
            if before.is_acm and now_app is not None:
                await end_automation(tx, now_app, clock)
        was = await thing_of(tx, app, before)
        await update_sni_endpoint(tx, changed, read.key if read else None, vault=vault)
        await note(tx, app, await thing_of(tx, app, changed), "update", now=changed.updated_at, by=by.id, was=was)
    certifying.wake()
    await tell(app.id, "api", f"Update certificate {before.name} by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return changed


async def _check_keeps_domains(tx: Transaction, app: App, endpoint: SniEndpoint, ssl_cert: SslCert) -> None:
    own = [domain.hostname for domain in await list_domains(tx, app.id) if domain.sni_endpoint_id == endpoint.id]
    lost = ", ".join([hostname for hostname in own if not covers(ssl_cert.cert_domains, hostname)][:5])
    if lost:
        raise Invalid(f"The new certificate is not for {lost}, which {endpoint.name} serves; use one that is.", app=app.name)


async def remove_certificate(
    app: App, name_or_id: str, *, by: Account, db: Database, certifying: Certifying, log_writer: LogWriter, clock: Clock
) -> SniEndpoint:
    """Removes a certificate; its domains are answered with the platform's own. Raises: NotFound; Invalid for an automatic one."""
    async with db.transaction() as tx:
        await lock_app(tx, app.id)
        gone = await named_endpoint(tx, app, name_or_id)
        if gone.is_acm:
            raise Invalid(f"{gone.name} is managed automatically; `senryu certs:auto:disable` removes it.", app=app.name)
        await note(tx, app, await thing_of(tx, app, gone), "destroy", now=clock.now(), by=by.id)
        await delete_sni_endpoint(tx, gone.id)
    certifying.wake()
    await tell(app.id, "api", f"Remove certificate {gone.name} by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return gone


async def end_automation(tx: Transaction, app: App, clock: Clock) -> App:
    """Turns certs:auto off in a transaction: orders are forgotten; certificates stay for the caller to judge."""
    await delete_orders(tx, app.id)
    for domain in await list_domains(tx, app.id):
        await update_domain(tx, replace(domain, acm_status=None, acm_status_reason=None, updated_at=clock.now()))
    ended = replace(app, is_acm=False, updated_at=clock.now())
    await update_app(tx, ended)
    return ended
