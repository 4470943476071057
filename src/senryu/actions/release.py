"""Making releases: the one way in which code and config of an app change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Unpack
from uuid import UUID, uuid4

from ..core.account import Account
from ..core.app import App
from ..core.clock import Clock
from ..core.config_var import ConfigVars
from ..core.errors import NotFound
from ..core.formation import ProcessType, first_quantity
from ..core.release import Release, ReleaseStatus, needs_release_phase
from ..core.slug import Slug
from ..store.apps import lock_app, update_app
from ..store.database import Transaction
from ..store.dyno_sizes import list_sizes
from ..store.formation import list_formation, set_process_type
from ..store.releases import append_release, latest_release
from .note import note
from .parts import Releasing
from .sleep import tell_unidling, woken
from .tell import tell


@dataclass(frozen=True, slots=True)
class Draft:
    """What a release is to be: `slug` None keeps the code there is; `process_types` None those there are."""

    description: str
    config_vars: ConfigVars
    slug: Slug | None = None
    process_types: Mapping[str, str] | None = None
    commit: str | None = None


def _drawn(app: App, draft: Draft, latest: Release | None, by: Account, clock: Clock) -> Release:
    slug, now = draft.slug, clock.now()
    process_types = draft.process_types if draft.process_types is not None else latest.process_types if latest else {}
    slug_id = slug.id if slug else latest.slug_id if latest else None
    pending = needs_release_phase(process_types, slug_id)
    return Release(
        id=uuid4(),
        app_id=app.id,
        version=0,
        status=ReleaseStatus.PENDING if pending else ReleaseStatus.SUCCEEDED,
        description=draft.description,
        user_id=by.id,
        config_vars=dict(draft.config_vars),
        process_types=dict(process_types),
        slug_id=slug_id,
        slug_checksum=slug.checksum if slug else latest.slug_checksum if latest else None,
        stack=slug.stack if slug else latest.stack if latest else app.stack,
        brings_code=slug is not None,
        created_at=now,
        updated_at=now,
        commit=draft.commit if slug else latest.commit if latest else None,
    )


async def _name_new_types(tx: Transaction, app: App, release: Release, default_size: str, clock: Clock) -> list[ProcessType]:
    formation, sizes, now = await list_formation(tx, app.id), await list_sizes(tx), clock.now()
    known = {entry.type for entry in formation}
    size = sizes.of_app([entry.size for entry in formation]) or sizes.default_of(default_size)
    fresh = [name for name in release.process_types if name not in known]
    added = [ProcessType(uuid4(), app.id, name, first_quantity(name), size.name, now, now) for name in fresh]
    for entry in added:
        await set_process_type(tx, entry)
    return added


@dataclass(frozen=True, slots=True)
class Made:
    """A release that nobody was told of yet: that waits until its transaction is committed. `woken` are its app's dynos that slept."""

    release: Release
    by: Account
    woken: list[str]


async def release_in(
    tx: Transaction, app_id: UUID, draft_of: Callable[[Release | None], Draft | None], *, by: Account, **parts: Unpack[Releasing]
) -> Made | None:
    """As `release`, in the transaction of the change that it is for, so that there is never one without the other; then `announce`."""
    clock, vault = parts["clock"], parts["vault"]
    held = await lock_app(tx, app_id)
    if held is None:
        raise NotFound("Couldn't find that app.")
    latest = await latest_release(tx, app_id, vault=vault)
    draft = draft_of(latest)
    if draft is None:
        return None
    made = await append_release(tx, _drawn(held, draft, latest, by, clock), vault=vault)
    added = await _name_new_types(tx, held, made, parts["default_size"], clock)
    changed = replace(
        held,
        released_at=made.created_at,
        slug_size_bytes=draft.slug.size_bytes if draft.slug else held.slug_size_bytes,
        buildpack_provided_description=draft.slug.buildpack_provided_description if draft.slug else held.buildpack_provided_description,
        stack=made.stack,
        updated_at=made.created_at,
    )
    await update_app(tx, changed)
    await note(tx, changed, made, "create", now=made.created_at, by=by.id)
    for entry in added:
        await note(tx, changed, entry, "create", now=made.created_at, by=by.id)
    await note(tx, changed, changed, "update", now=made.created_at, by=by.id, was=held)
    return Made(made, by, await woken(tx, app_id))


async def announce(*made: Made | None, **parts: Unpack[Releasing]) -> None:
    """Tells the apps' logs of what is committed, and has supervise look."""
    log_writer, clock = parts["log_writer"], parts["clock"]
    for each in made:
        if each is None:
            continue
        release, by = each.release, each.by
        lines = (f"{release.description} by user {by.email}", f"Release v{release.version} created by user {by.email}")
        await tell(release.app_id, "api", *lines, log_writer=log_writer, clock=clock, source="app")
        await tell_unidling(release.app_id, each.woken, log_writer=log_writer, clock=clock)
        parts["supervision"].wake(release.app_id)


async def release(
    app: App,
    draft_of: Callable[[Release | None], Draft | None],
    *,
    by: Account,
    **parts: Unpack[Releasing],
) -> Release | None:
    """The app's next release, drawn from the latest one while no other change can come between.

    Takes: `draft_of`, from the latest release to what the next is to be, None when nothing changes.
    Gives: the release, `pending` when it has a release phase (supervise runs it), or None. Raises: what `draft_of` raises, NotFound.
    """
    async with parts["db"].transaction() as tx:
        made = await release_in(tx, app.id, draft_of, by=by, **parts)
    await announce(made, **parts)
    return made.release if made else None
