"""certs:auto: on, off, and tried again at once.

Source: https://devcenter.heroku.com/articles/automated-certificate-management
"""

from __future__ import annotations

from dataclasses import replace

from ..core.account import Account
from ..core.app import App
from ..core.certificate_order import Certifying
from ..core.clock import Clock
from ..core.domain import Domain
from ..core.errors import Invalid, NotFound
from ..core.log_line import LogWriter
from ..store.apps import lock_app, update_app
from ..store.certificate_orders import delete_orders
from ..store.database import Database, Transaction
from ..store.domains import list_domains, update_domain
from ..store.sni_endpoints import delete_sni_endpoint, list_sni_endpoints
from .add_certificate import end_automation
from .tell import tell


def pending(domain: Domain, clock: Clock) -> Domain:
    """A domain whose certificate is about to be fetched; a wildcard cannot be proven over HTTP."""
    reason = "A certificate for a wildcard cannot be fetched automatically; use `certs:add`." if domain.hostname.startswith("*.") else None
    return replace(domain, acm_status="failed" if reason else "pending", acm_status_reason=reason, updated_at=clock.now())


async def with_automation(tx: Transaction, app: App, domain: Domain, clock: Clock) -> Domain:
    """A new domain as it begins: waiting for a certificate when the app's are automatic and it brought none."""
    now = await lock_app(tx, app.id)
    return pending(domain, clock) if now is not None and now.is_acm and domain.sni_endpoint_id is None else domain


async def _locked(tx: Transaction, app: App) -> App:
    found = await lock_app(tx, app.id)
    if found is None:
        raise NotFound(f"{app.name} is destroyed.")
    return found


async def automate(
    app: App, *, is_offered: bool, by: Account, db: Database, certifying: Certifying, log_writer: LogWriter, clock: Clock
) -> App:
    """Has certificates fetched and renewed for the app's domains that have none of their own.

    Takes: `is_offered`, whether the platform has an authority to ask. Raises: Invalid when it has none.
    """
    if not is_offered:
        raise Invalid("This platform asks no certificate authority; its operator sets SENRYU_ACME_DIRECTORY.", app=app.name)
    async with db.transaction() as tx:
        before = await _locked(tx, app)
        now = replace(before, is_acm=True, updated_at=clock.now())
        if before.is_acm:
            return before
        await update_app(tx, now)
        for domain in await list_domains(tx, app.id):
            if domain.sni_endpoint_id is None:
                await update_domain(tx, pending(domain, clock))
    certifying.wake()
    told = f"Enable automatic certificates by user {by.email}"
    await tell(app.id, "api", told, log_writer=log_writer, clock=clock, source="app")
    return now


async def stop_automating(app: App, *, by: Account, db: Database, certifying: Certifying, log_writer: LogWriter, clock: Clock) -> App:
    """Ends it and removes the certificates it fetched."""
    async with db.transaction() as tx:
        now = await end_automation(tx, await _locked(tx, app), clock)
        for endpoint in await list_sni_endpoints(tx, app.id):
            if endpoint.is_acm:
                await delete_sni_endpoint(tx, endpoint.id)
    certifying.wake()
    told = f"Disable automatic certificates by user {by.email}"
    await tell(app.id, "api", told, log_writer=log_writer, clock=clock, source="app")
    return now


async def refresh(app: App, *, by: Account, db: Database, certifying: Certifying, log_writer: LogWriter, clock: Clock) -> App:
    """Tries every domain again that has no certificate yet, however long it would have waited. Raises: Invalid when it is off."""
    async with db.transaction() as tx:
        now = await _locked(tx, app)
        if not now.is_acm:
            raise Invalid(f"Automatic certificates are off for {app.name}; `senryu certs:auto:enable` turns them on.", app=app.name)
        await delete_orders(tx, app.id)
        for domain in await list_domains(tx, app.id):
            if domain.sni_endpoint_id is None:
                await update_domain(tx, pending(domain, clock))
    certifying.wake()
    told = f"Refresh automatic certificates by user {by.email}"
    await tell(app.id, "api", told, log_writer=log_writer, clock=clock, source="app")
    return now
