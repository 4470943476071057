"""The database that an app's first deploy brings with it when its manifests name a PostgreSQL client, as Heroku's buildpacks had it.

Source: https://devcenter.heroku.com/articles/buildpack-api#bin-release (`addons`: on the first deploy of an app)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Unpack

import structlog

from ..core.account import Account
from ..core.add_on import all_variables
from ..core.app import App
from ..core.build import Built
from ..core.errors import PlatformError
from ..core.first_database import ATTACHMENT, OFF, SERVICE, VARIABLE
from ..store.add_ons import list_add_ons, list_attachments
from ..store.database import Database
from ..store.releases import has_code, latest_release
from ..store.vault import Vault
from .parts import Deploying, released_with
from .provision import provision

_log = structlog.get_logger("deploy")


async def give_database(
    app: App, built: Built, say: Callable[[str], Awaitable[None]], *, by: Account, **parts: Unpack[Deploying]
) -> bool:
    """Adds a database to an app before its first release with code; whether it was tried. What fails is said, and the deploy goes on."""
    plan, suppliers = parts["first_database"], parts["suppliers"]
    if built.database_wanted_by is None or plan == OFF or SERVICE not in suppliers:
        return False
    if await _is_settled(app, db=parts["db"], vault=parts["vault"]):
        return False
    await say(f"-----> Adding {plan} ({built.database_wanted_by})\n")
    try:
        made = await provision(app, plan, options={}, by=by, suppliers=suppliers, **released_with(parts))
    except PlatformError as problem:
        _log.warning("first database not made", app=app.name, reason=problem.message)
        await _warn(say, problem.message, plan)
    except Exception:
        _log.exception("first database not made", app=app.name)
        await _warn(say, "The platform failed; its operator finds out why in its own log.", plan)
    else:
        await say(f"       {made.name} is {', '.join(sorted(f'{ATTACHMENT}_{key}' for key in made.config))}\n")
    return True


async def _warn(say: Callable[[str], Awaitable[None]], reason: str, plan: str) -> None:
    await say(f" !     It could not be added: {reason}\n")
    await say(f" !     The deploy goes on without; add it later with `senryu addons:create {plan}`.\n")


async def _is_settled(app: App, *, db: Database, vault: Vault) -> bool:
    """Whether the app had code before, or somebody has seen to its database."""
    async with db.reading() as tx:
        latest, attached = await latest_release(tx, app.id, vault=vault), await list_attachments(tx, app_id=app.id, vault=vault)
        has_own = any(add_on.service == SERVICE for add_on in await list_add_ons(tx, app.id, vault=vault))
        is_old = await has_code(tx, app.id)
    is_named = any(attachment.name == ATTACHMENT for attachment, _ in attached) or VARIABLE in all_variables(attached)
    return is_old or has_own or is_named or (latest is not None and VARIABLE in latest.config_vars)
