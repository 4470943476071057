"""Who supplies add-ons: the platform's own rooms and the partners that were registered."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import structlog

from .actions.change_add_on import finish_plans
from .actions.follow_database import end_following
from .actions.partners import PartnerRecords, offer_partners
from .actions.provision import finish_add_ons
from .actions.reset_store import finish_resets
from .api.parts import releasing
from .config import Settings
from .core.add_on import Supplier
from .core.address import Resolver
from .core.clock import Clock
from .core.errors import Unavailable
from .core.limits import ADD_ONS_ROUND_S
from .core.partner import Manifest
from .engines.container import ContainerEngine
from .partner_caller import JudgedCaller
from .platform import Partners, Platform
from .providers.objects import BUCKETEER, OBJECTS, ObjectsSupplier
from .providers.partner import PartnerSupplier
from .providers.postgres import GivenServer, OwnServer, PostgresFollowing, PostgresSupplier
from .providers.redis import RedisSupplier
from .providers.scheduler import SchedulerSupplier
from .store.database import Database
from .store.vault import Vault

_log = structlog.get_logger("add-ons")


def postgres_server(settings: Settings, engine: ContainerEngine) -> GivenServer | OwnServer:
    """Where databases are."""
    given = settings.postgres_admin_url
    return GivenServer(given) if given else OwnServer(engine)


def postgres_following(settings: Settings, engine: ContainerEngine) -> PostgresFollowing | None:
    """The copy of the platform's own server; an operator's is not followed."""
    return None if settings.postgres_admin_url else PostgresFollowing(postgres_server(settings, engine), engine)


def own_suppliers(settings: Settings, engine: ContainerEngine) -> dict[str, Supplier]:
    """Those of the platform's own rooms, by service."""
    postgres = PostgresSupplier(postgres_server(settings, engine), postgres_following(settings, engine))
    buckets = [ObjectsSupplier(service, engine, settings.objects_endpoint) for service in (OBJECTS, BUCKETEER)]
    every: list[Supplier] = [postgres, SchedulerSupplier(), RedisSupplier(engine), *buckets]
    return {each.service.name: each for each in every}


async def registered_partners(
    settings: Settings, db: Database, vault: Vault, resolver: Resolver, clock: Clock, offered: dict[str, Supplier]
) -> Partners:
    """Those registered before, among what is offered from now on."""
    records = PartnerRecords(db=db, vault=vault, clock=clock, platform_url=settings.outside_url)
    calling = JudgedCaller(resolver, allow_private=settings.allow_private_partners)

    def make(manifest: Manifest, client_id: UUID) -> Supplier:
        return PartnerSupplier(manifest, client_id, calling=calling, records=records)

    await offer_partners(offered, make=make, db=db, vault=vault)
    return Partners(offered, make)


async def look_after_add_ons(platform: Platform) -> None:
    """Goes on with what crashes and failures interrupted, for ever."""
    began = platform.clock.now()
    while True:
        try:
            await finish_add_ons(suppliers=platform.suppliers, began=began, **releasing(platform))
            await finish_plans(suppliers=platform.suppliers, **releasing(platform))
            if platform.following is not None:
                with suppress(Unavailable):  # it goes with another round
                    await end_following(platform.following, **releasing(platform))
            if platform.stores is not None:
                await finish_resets(stores=platform.stores, **releasing(platform))
        except Exception:
            _log.exception("add-ons could not be looked after")
        await platform.clock.sleep(ADD_ONS_ROUND_S)
