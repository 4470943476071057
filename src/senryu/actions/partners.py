"""Services of others: registering them, and what they do to add-ons they have.

Source: https://devcenter.heroku.com/articles/add-on-partner-api-reference, /articles/platform-api-for-partners
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Unpack
from uuid import UUID, uuid4

from ..core.account import Account
from ..core.add_on import AddOn, AddOnState, Supplier
from ..core.clock import Clock
from ..core.errors import Conflict, NotFound
from ..core.limits import OAUTH_CODE_S
from ..core.oauth_client import OAuthClient
from ..core.partner import Manifest, Resource, config_in, manifest_in
from ..store.accounts import find_accounts
from ..store.add_ons import delete_add_on, delete_attachments, find_add_on, list_add_ons, lock_add_on, update_add_on
from ..store.apps import find_app
from ..store.database import Database
from ..store.oauth_clients import create_oauth_client, delete_oauth_client
from ..store.oauth_grants import find_oauth_client, revoke_oauth_grants
from ..store.partners import Partner, delete_partner, list_partners, put_partner
from ..store.plan_prices import keep_prices
from ..store.vault import Vault
from .meter import plan_prices
from .note import note
from .oauth_grants import give_code
from .parts import Releasing
from .release import Made, announce
from .release_attached import release_users

Offered = MutableMapping[str, Supplier]
Making = Callable[[Manifest, UUID], Supplier]
_NOWHERE = "http://localhost/"  # partners trade codes that they are given; nobody is led back to them


def scope_of(add_on_id: UUID) -> str:
    """What a partner's token reaches: this add-on."""
    return f"addon:{add_on_id}"


class PartnerRecords:
    """See Records. `platform_url` is where partners reach the platform."""

    def __init__(self, *, db: Database, vault: Vault, clock: Clock, platform_url: str) -> None:
        self._db, self._vault, self._clock, self._platform_url = db, vault, clock, platform_url

    async def resource(self, id: UUID, client_id: UUID) -> Resource:
        """See Records."""
        async with self._db.reading() as tx:
            add_on = await find_add_on(tx, id, vault=self._vault)
            app = await find_app(tx, add_on.app_id) if add_on else None
            owners = await find_accounts(tx, {app.owner_id}) if app else {}
            client = await find_oauth_client(tx, client_id, vault=self._vault)
        if add_on is None or app is None or client is None:
            raise NotFound("The app of this add-on is gone.")
        ends_at = self._clock.now() + timedelta(seconds=OAUTH_CODE_S)
        code = await give_code(client, owners[app.owner_id], (scope_of(id),), db=self._db, clock=self._clock)
        return Resource(id, add_on.name, f"{self._platform_url}/addons/{id}", add_on.provider_id, code, ends_at)

    async def provider_id(self, id: UUID) -> str | None:
        """See Records."""
        async with self._db.reading() as tx:
            add_on = await find_add_on(tx, id, vault=self._vault)
        if add_on is None:
            raise NotFound("There is no such add-on.")
        return add_on.provider_id


async def offer_partners(offered: Offered, *, make: Making, db: Database, vault: Vault) -> None:
    """Those registered before, at the start of the platform."""
    async with db.reading() as tx:
        for partner in await list_partners(tx, vault=vault):
            offered[partner.name] = make(manifest_in(partner.document), partner.client_id)


async def register_partner(
    document: dict[str, Any], *, by: Account, offered: Offered, make: Making, db: Database, vault: Vault, clock: Clock
) -> tuple[Manifest, OAuthClient]:
    """Offers a service of somebody else's from now on, or changes what it is. Raises: Invalid, Conflict for a name that is another's."""
    manifest, now = manifest_in(document), clock.now()
    service = manifest.service
    async with db.transaction() as tx:
        known = {partner.name: partner for partner in await list_partners(tx, vault=vault)}
        _check_free(service.name, offered.values(), known)
        here = [add_on for add_on in await list_add_ons(tx, vault=vault) if add_on.service == service.name]
        used = {plan for add_on in here for plan in (add_on.plan, add_on.next_plan) if plan is not None}
        if lost := sorted(used - {plan.slug for plan in service.plans}):
            raise Conflict(f"There are add-ons of the plan {service.name}:{lost[0]}, which the manifest has no more; keep it.")
        former = known.get(service.name)
        client = await find_oauth_client(tx, former.client_id, vault=vault) if former else None
        if client is None:
            client = OAuthClient(uuid4(), by.id, f"{service.human_name} (add-ons)", _NOWHERE, secrets.token_urlsafe(32), now, now)
            await create_oauth_client(tx, client, vault=vault)
        await put_partner(tx, Partner(service.name, client.id, document), now, vault=vault)
        made = make(manifest, client.id)
        await keep_prices(tx, plan_prices({**offered, service.name: made}.values()), now)
    offered[service.name] = made
    return manifest, client


def _check_free(name: str, offered: Iterable[Supplier], known: dict[str, Partner]) -> None:
    for supplier in offered:
        service = supplier.service
        if name in (service.name, *service.aliases) and service.name not in known:
            raise Conflict(f"{name} names a service of this platform's own; give the manifest another `id`.")


async def remove_partner(name: str, *, offered: Offered, db: Database, vault: Vault, clock: Clock) -> None:
    """Offers it no more. Raises: NotFound, Conflict while there are add-ons of it."""
    async with db.transaction() as tx:
        known = {partner.name: partner for partner in await list_partners(tx, vault=vault)}
        if name not in known:
            raise NotFound(f"Couldn't find the service {name[:80]} among those of others.")
        if left := [add_on.name for add_on in await list_add_ons(tx, vault=vault) if add_on.service == name]:
            raise Conflict(f"There are {len(left)} add-ons of {name}, such as {left[0]}; destroy them first.")
        await delete_partner(tx, name)
        await keep_prices(tx, plan_prices(each for each in offered.values() if each.service.name != name), clock.now())
        await revoke_oauth_grants(tx, known[name].client_id)
        await delete_oauth_client(tx, known[name].client_id)
    offered.pop(name, None)


async def partner_configures(add_on: AddOn, given: object, *, manifest: Manifest, **parts: Unpack[Releasing]) -> AddOn:
    """What its partner says that its config vars are. One being made has them once it is provisioned; of another, apps are released.

    Raises: Invalid for names that the manifest does not have, Conflict when the add-on is going.
    """
    config = config_in(given, manifest)
    return await _changed(add_on.id, lambda now: replace(now, config={**now.config, **config}), "Update", **parts)


async def partner_provisioned(add_on: AddOn, **parts: Unpack[Releasing]) -> AddOn:
    """It is ready, as its partner says: apps are released with its config vars. Once is as good as twice. Raises: Conflict."""
    return await _changed(add_on.id, lambda now: replace(now, state=AddOnState.PROVISIONED), "Attach", **parts)


async def partner_failed(add_on: AddOn, **parts: Unpack[Releasing]) -> None:
    """Its partner could not make it, and has nothing of it: it goes without being asked for. Raises: Conflict for one that was made."""
    async with parts["db"].transaction() as tx:
        now = await lock_add_on(tx, add_on.id, vault=parts["vault"])
        if now is None:
            return
        if now.state is not AddOnState.PROVISIONING:
            raise Conflict(f"{now.name} is {now.state.value}; only one that is being made may be given up by its partner.")
        app = await find_app(tx, now.app_id)
        await delete_attachments(tx, add_on_id=now.id)
        await delete_add_on(tx, now.id)
        if app is not None:
            gone = replace(now, state=AddOnState.DEPROVISIONED, updated_at=parts["clock"].now())
            await note(tx, app, gone, "destroy", now=gone.updated_at)


async def _changed(id: UUID, change: Callable[[AddOn], AddOn], what: str, **parts: Unpack[Releasing]) -> AddOn:
    """As it is. What was read before the transaction may be old: a partner asks for several things at once."""
    released: list[Made] = []
    async with parts["db"].transaction() as tx:
        was = await lock_add_on(tx, id, vault=parts["vault"])
        if was is None or was.state not in (AddOnState.PROVISIONING, AddOnState.PROVISIONED):
            raise Conflict("This add-on is going; leave it.")
        changed = change(was)
        if changed == was:
            return was
        changed = replace(changed, updated_at=parts["clock"].now())
        await update_add_on(tx, changed, vault=parts["vault"])
        if (app := await find_app(tx, was.app_id)) is not None:
            await note(tx, app, changed, "update", now=changed.updated_at, was=was)
        if changed.state is AddOnState.PROVISIONED:
            released = await release_users(tx, changed, what, **parts)
    await announce(*released, **parts)
    return changed
