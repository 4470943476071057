"""What webhooks tell of a thing: its resource and its fields, as the API's schema has them.

Source: https://devcenter.heroku.com/articles/webhook-events
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from .add_on import AddOn, Attachment
from .app import App
from .build import Build
from .collaborator import Collaborator
from .domain import Domain
from .dyno import Dyno
from .formation import ProcessType
from .release import Release
from .webhook import Webhook, iso


@dataclass(frozen=True, slots=True)
class Thing:
    """A noun that has no case below: its resource, such as `sni-endpoint`, and its data as the API shows it, without secrets."""

    resource: str
    data: Mapping[str, Any]


Noun = AddOn | App | Attachment | Build | Collaborator | Domain | Dyno | ProcessType | Release | Webhook | Thing
Emails = Mapping[UUID, str]


def entity(noun: Noun) -> str:
    """What of `include` tells of it."""
    match noun:
        case Thing():
            return f"api:{noun.resource}"
        case AddOn():
            return "api:addon"
        case Attachment():
            return "api:addon-attachment"
        case ProcessType():
            return "api:formation"
        case Webhook():
            return "ping"
        case _:
            return f"api:{type(noun).__name__.lower()}"


def people(noun: Noun) -> set[UUID]:
    """The accounts its data names."""
    match noun:
        case App():
            return {noun.owner_id}
        case Build() | Release():
            return {noun.user_id}
        case Collaborator():
            return {noun.account_id}
        case _:
            return set()


def _user(id: UUID, emails: Emails) -> dict[str, str]:
    return {"email": emails.get(id, ""), "id": str(id)}


def _at(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def data_of(noun: Noun, app: App, emails: Emails) -> dict[str, Any]:
    """The thing's fields. Pure; config vars and other secrets are in none of them."""
    if isinstance(noun, Thing):
        return dict(noun.data)
    times = {"created_at": iso(noun.created_at), "id": str(noun.id)}
    own = {"app": {"id": str(app.id), "name": app.name}}
    match noun:
        case App():
            return {**times, **_app(noun, emails)}
        case Build():
            return {**times, **own, **_build(noun, emails)}
        case Release():
            return {**times, **own, **_release(noun, emails)}
        case Dyno():
            return {**times, **own, **_dyno(noun)}
        case ProcessType():
            entry = {"quantity": noun.quantity, "size": noun.size, "type": noun.type, "updated_at": iso(noun.updated_at)}
            return {**times, **own, **entry}
        case Domain():
            kind = {"cname": None, "hostname": noun.hostname, "kind": "custom", "status": "none", "updated_at": iso(noun.updated_at)}
            return {**times, **own, **kind}
        case Collaborator():
            return {**times, **own, "role": "collaborator", "updated_at": iso(noun.updated_at), "user": _user(noun.account_id, emails)}
        case AddOn():
            return {**times, **own, **_add_on(noun)}
        case Attachment():
            of = {"addon": {"id": str(noun.add_on_id)}, "name": noun.name, "namespace": noun.namespace}
            return {**times, **own, **of, "updated_at": iso(noun.updated_at)}
        case Webhook():
            return {**times, **own, "include": list(noun.include), "level": noun.level, "updated_at": iso(noun.updated_at)}


def _add_on(add_on: AddOn) -> dict[str, Any]:
    """Without `config`, which its supplier gave and which is secret."""
    return {
        "addon_service": {"name": add_on.service},
        "name": add_on.name,
        "plan": {"name": f"{add_on.service}:{add_on.plan}"},
        "state": add_on.state.value,
        "updated_at": iso(add_on.updated_at),
    }


def _app(app: App, emails: Emails) -> dict[str, Any]:
    return {
        "archived_at": None,
        "build_stack": {"name": app.build_stack},
        "buildpack_provided_description": app.buildpack_provided_description,
        "maintenance": app.is_maintenance,
        "name": app.name,
        "owner": _user(app.owner_id, emails),
        "released_at": _at(app.released_at),
        "repo_size": app.repo_size_bytes,
        "slug_size": app.slug_size_bytes,
        "space": None,
        "stack": {"name": app.stack},
        "updated_at": iso(app.updated_at),
    }


def _build(build: Build, emails: Emails) -> dict[str, Any]:
    return {
        "buildpacks": [{"url": url} for url in build.buildpacks],
        "release": {"id": str(build.release_id)} if build.release_id else None,
        "slug": {"id": str(build.slug_id)} if build.slug_id else None,
        "source_blob": {"version": build.source.version, "version_description": build.source.version_description},
        "stack": build.stack,
        "status": build.status.value,
        "updated_at": iso(build.updated_at),
        "user": _user(build.user_id, emails),
    }


def _release(release: Release, emails: Emails) -> dict[str, Any]:
    return {
        "description": release.description,
        "slug": {"id": str(release.slug_id)} if release.slug_id else None,
        "stack": release.stack,
        "status": release.status.value,
        "updated_at": iso(release.updated_at),
        "user": _user(release.user_id, emails),
        "version": release.version,
    }


def _dyno(dyno: Dyno) -> dict[str, Any]:
    return {
        "attach_url": None,
        "command": dyno.command,
        "exit_code": dyno.exit_code if dyno.ended_at is not None else None,
        "name": dyno.name,
        "release": {"id": str(dyno.release_id), "version": dyno.release_version},
        "size": dyno.size,
        "state": dyno.state.value,
        "type": dyno.type,
        "updated_at": iso(dyno.changed_at),
    }


def differing(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The former values of what changed."""
    return {name: value for name, value in was.items() if now.get(name) != value and name != "updated_at"}
