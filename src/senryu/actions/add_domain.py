"""Giving an app domains and taking them away."""

from __future__ import annotations

from uuid import uuid4

from ..core.account import Account
from ..core.app import App
from ..core.certificate_order import Certifying
from ..core.clock import Clock
from ..core.domain import Domain, checked_hostname
from ..core.errors import Invalid, NotFound
from ..core.formation import Supervision
from ..core.limits import DOMAINS_PER_APP_MAX
from ..core.log_line import LogWriter
from ..store.database import Database
from ..store.domains import create_domain, delete_domain, find_domain, list_domains
from .attach_certificate import chosen_endpoint, only_endpoint
from .automate_certificates import with_automation
from .note import note
from .tell import tell


async def add_domain(
    app: App,
    hostname: str,
    *,
    platform_domain: str,
    certificate: str | None = None,
    picks_certificate: bool = False,
    certifying: Certifying,
    by: Account,
    db: Database,
    log_writer: LogWriter,
    supervision: Supervision,
    clock: Clock,
) -> Domain:
    """Adds a custom domain; `*.example.com` takes all names below.

    Takes: `certificate`, the name of the app's certificate it is answered with; `picks_certificate`, take the only one that is for it.
    Raises: Invalid when it is bad or taken, or the certificate is not for it; NotFound for an unknown certificate.
    """
    name, now = checked_hostname(hostname, platform_domain=platform_domain), clock.now()
    async with db.transaction() as tx:
        taken = await find_domain(tx, name)
        if taken is not None:
            where = "this app" if taken.app_id == app.id else "another app"
            raise Invalid(f"{name} is already in use by {where}; remove it there first.", app=app.name)
        if len(await list_domains(tx, app.id)) >= DOMAINS_PER_APP_MAX:
            raise Invalid(f"{app.name} has {DOMAINS_PER_APP_MAX} domains already; remove one first.", app=app.name)
        chosen = await (only_endpoint(tx, app, name) if picks_certificate else chosen_endpoint(tx, app, name, certificate))
        domain = Domain(uuid4(), app.id, name, now, now, sni_endpoint_id=chosen)
        domain = await with_automation(tx, app, domain, clock)
        await create_domain(tx, domain)
        await note(tx, app, domain, "create", now=now, by=by.id)
    await tell(app.id, "api", f"Add {name} domain by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    supervision.wake(app.id)
    certifying.wake()
    return domain


async def remove_domain(
    app: App,
    hostname_or_id: str,
    *,
    certifying: Certifying,
    by: Account,
    db: Database,
    log_writer: LogWriter,
    supervision: Supervision,
    clock: Clock,
) -> Domain:
    """Takes a custom domain away. Raises: NotFound."""
    async with db.transaction() as tx:
        wanted = hostname_or_id.lower().removesuffix(".")
        found = [domain for domain in await list_domains(tx, app.id) if wanted in (domain.hostname, str(domain.id))]
        if not found:
            raise NotFound(f"Couldn't find the domain {hostname_or_id[:80]} of {app.name}.", app=app.name)
        await delete_domain(tx, found[0].id)
        await note(tx, app, found[0], "destroy", now=clock.now(), by=by.id)
    await tell(app.id, "api", f"Remove {found[0].hostname} domain by user {by.email}", log_writer=log_writer, clock=clock, source="app")
    supervision.wake(app.id)
    certifying.wake()
    return found[0]
