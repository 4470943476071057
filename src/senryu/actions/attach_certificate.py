"""Which certificate a domain is answered with."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from ..core.account import Account
from ..core.app import App
from ..core.certificate_order import Certifying
from ..core.clock import Clock
from ..core.domain import Domain
from ..core.errors import NotFound
from ..core.log_line import LogWriter
from ..core.sni_endpoint import check_covers, covers
from ..store.apps import lock_app
from ..store.certificate_orders import delete_order
from ..store.database import Database, Transaction
from ..store.domains import list_domains, update_domain
from ..store.sni_endpoints import delete_sni_endpoint, list_sni_endpoints
from .add_certificate import named_endpoint
from .automate_certificates import pending
from .note import note
from .tell import tell


async def chosen_endpoint(tx: Transaction, app: App, hostname: str, wanted: str | None) -> UUID | None:
    """The certificate that `wanted` names. Raises: NotFound; Invalid when it is not for the host."""
    if wanted is None:
        return None
    endpoint = await named_endpoint(tx, app, wanted)
    check_covers(endpoint.ssl_cert, hostname, endpoint.name)
    return endpoint.id


async def only_endpoint(tx: Transaction, app: App, hostname: str) -> UUID | None:
    """The app's one uploaded certificate, when it has just one that is for the host (what a client gets that says nothing)."""
    found = [e for e in await list_sni_endpoints(tx, app.id) if not e.is_acm and covers(e.ssl_cert.cert_domains, hostname)]
    return found[0].id if len(found) == 1 else None


async def attach_certificate(
    app: App,
    hostname_or_id: str,
    endpoint: str | None,
    *,
    by: Account,
    db: Database,
    certifying: Certifying,
    log_writer: LogWriter,
    clock: Clock,
) -> Domain:
    """Has a domain answered with one of the app's certificates; with None, with the platform's own or an automatic one.

    Raises: NotFound for an unknown domain or certificate; Invalid when the certificate is not for the domain.
    """
    wanted = hostname_or_id.lower().removesuffix(".")
    async with db.transaction() as tx:
        now_app = await lock_app(tx, app.id)
        found = [domain for domain in await list_domains(tx, app.id) if wanted in (domain.hostname, str(domain.id))]
        if not found or now_app is None:
            raise NotFound(f"Couldn't find the domain {hostname_or_id[:80]} of {app.name}.", app=app.name)
        before = found[0]
        chosen = await chosen_endpoint(tx, app, before.hostname, endpoint)
        changed = replace(before, sni_endpoint_id=chosen, updated_at=clock.now())
        automatic = {e.id for e in await list_sni_endpoints(tx, app.id) if e.is_acm}
        if chosen not in automatic:
            await delete_order(tx, before.id)
            cleared = replace(changed, acm_status=None, acm_status_reason=None)
            changed = pending(changed, clock) if now_app.is_acm and chosen is None else cleared
        await update_domain(tx, changed)
        await note(tx, app, changed, "update", now=changed.updated_at, by=by.id, was=before)
        if before.sni_endpoint_id in automatic and before.sni_endpoint_id != chosen:
            await delete_sni_endpoint(tx, before.sni_endpoint_id)
    certifying.wake()
    await tell(app.id, "api", f"Update {before.hostname} domain by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    return changed
