"""Add-on services of others: described by a manifest, asked over HTTP by Heroku's Add-on Partner API, version 3.

Source: https://devcenter.heroku.com/articles/add-on-partner-api-reference, /articles/add-on-manifest, /articles/add-on-single-sign-on
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit
from uuid import UUID

from .add_on import AddOnService, Plan
from .errors import Invalid

ACCEPT = "application/vnd.heroku-addons+json; version=3"
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,60}\Z")
_PREFIX = re.compile(r"[A-Z][A-Z0-9_]{0,60}\Z")
_PLANS_MAX = 50
_VARIABLES_MAX = 30
_MESSAGE_MAX = 500


@dataclass(frozen=True, slots=True)
class Manifest:
    """A service of somebody else's. `keys` are the config vars it may set, without `prefix` and `_`."""

    service: AddOnService
    prefix: str
    keys: tuple[str, ...]
    base_url: str
    sso_url: str
    password: str = field(repr=False)
    sso_salt: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Resource:
    """An add-on as a partner is told of it. `code` gets it a token until `code_ends_at`; `provider_id` its own name for it."""

    id: UUID
    name: str
    callback_url: str
    provider_id: str | None
    code: str = field(repr=False)
    code_ends_at: datetime


@runtime_checkable
class Described(Protocol):
    """A supplier by a manifest."""

    @property
    def manifest(self) -> Manifest:
        """Of its service."""


class Caller(Protocol):
    """HTTP to a partner."""

    async def call(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        """Status and body. Raises: Unavailable when there is no answer in time, Invalid for an address that may not be called."""


class Records(Protocol):
    """What the platform knows of an add-on."""

    async def resource(self, id: UUID, client_id: UUID) -> Resource:
        """With a fresh code. Raises: NotFound."""

    async def provider_id(self, id: UUID) -> str | None:
        """What the partner calls it, None when it never said. Raises: NotFound."""


def manifest_in(document: object) -> Manifest:
    """A manifest, checked. Beyond Heroku's, `plans` (`slug`, `human_name`, `price_cents`, `default`) says what there is.

    Raises: Invalid, naming what is wrong.
    """
    outer = _object(document, "The manifest")
    api = _object(outer.get("api"), "`api`")
    id = _matching(outer.get("id"), _SLUG, "`id`")
    if str(api.get("version", "3")) != "3":
        raise Invalid("`api.version` must be 3; others of Heroku's Add-on Partner API are not spoken here.")
    production = api.get("production")
    urls = _object(production, "`api.production`") if not isinstance(production, str) else {"base_url": production}
    prefix = _matching(api.get("config_vars_prefix") or id.upper().replace("-", "_"), _PREFIX, "`api.config_vars_prefix`")
    name = str(outer.get("name") or id)[:100]
    return Manifest(
        AddOnService(id, name, _plans(id, outer.get("plans")), prefix, prefix, id[:40], keys=(keys := _keys(api, prefix))),
        prefix,
        keys,
        _url(urls.get("base_url"), "`api.production.base_url`"),
        _url(urls.get("sso_url"), "`api.production.sso_url`") if urls.get("sso_url") else "",
        _secret(api.get("password"), "`api.password`"),
        _secret(api.get("sso_salt"), "`api.sso_salt`") if api.get("sso_salt") else "",
    )


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Invalid(f"{what} must be a JSON object, as addon-manifest.json has it.")
    return value


def _matching(value: object, form: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not form.match(value):
        raise Invalid(f"{what} of the manifest must match {form.pattern[:-2]}.")
    return value


def _secret(value: object, what: str) -> str:
    if not isinstance(value, str) or not 8 <= len(value) <= 500 or not value.isprintable():
        raise Invalid(f"{what} of the manifest must have 8 to 500 characters.")
    return value


def _url(value: object, what: str) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) and len(value) <= 1000 and value.isprintable() else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
        raise Invalid(f"{what} of the manifest must be an https address.")
    return str(value).rstrip("/")


def _keys(api: Mapping[str, Any], prefix: str) -> tuple[str, ...]:
    names = api.get("config_vars")
    if not isinstance(names, list) or not 1 <= len(names) <= _VARIABLES_MAX:
        raise Invalid("`api.config_vars` of the manifest must list the config vars that the service sets.")
    for name in names:
        if not isinstance(name, str) or not name.startswith(f"{prefix}_") or not _PREFIX.match(name):
            raise Invalid(f"`api.config_vars` of the manifest must be capitals that begin with {prefix}_.")
    return tuple(dict.fromkeys(name.removeprefix(f"{prefix}_") for name in names))


def _plans(service: str, given: object) -> tuple[Plan, ...]:
    if given is None:
        return (Plan(service, "test", "Test", 0, {}, is_default=True),)
    if not isinstance(given, list) or not 1 <= len(given) <= _PLANS_MAX:
        raise Invalid(f"`plans` of the manifest must list up to {_PLANS_MAX} plans.")
    plans = []
    for each in given:
        plan = _object(each, "A plan")
        slug, cents = _matching(plan.get("slug"), _SLUG, "`slug` of a plan"), plan.get("price_cents", 0)
        if not isinstance(cents, int) or not 0 <= cents <= 10**9:
            raise Invalid("`price_cents` of a plan must be a whole number.")
        plans.append(Plan(service, slug, str(plan.get("human_name") or slug)[:100], cents, {}, plan.get("default") is True))
    if len({plan.slug for plan in plans}) < len(plans):
        raise Invalid("Two plans of the manifest have the same `slug`.")
    if not any(plan.is_default for plan in plans):
        plans[0] = Plan(service, plans[0].slug, plans[0].human_name, plans[0].price_cents, {}, is_default=True)
    return tuple(plans)


def headers(manifest: Manifest) -> list[tuple[str, str]]:
    """What every call carries."""
    login = base64.b64encode(f"{manifest.service.name}:{manifest.password}".encode()).decode()
    return [("Authorization", f"Basic {login}"), ("Accept", ACCEPT), ("Content-Type", "application/json"), ("User-Agent", "senryu")]


def provision_body(resource: Resource, plan: Plan, options: Mapping[str, str]) -> bytes:
    """The body of `POST base_url`."""
    grant = {"code": resource.code, "expires_at": resource.code_ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"), "type": "authorization_code"}
    body = {
        "callback_url": resource.callback_url,
        "name": resource.name,
        "oauth_grant": grant,
        "options": dict(options),
        "plan": plan.slug,
        "region": "amazon-web-services::us-east-1",
        "uuid": str(resource.id),
    }
    return json.dumps(body).encode()


def answer_in(body: bytes) -> Mapping[str, Any]:
    """A partner's answer; empty when it is none."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, Mapping) else {}


def message_in(body: bytes) -> str:
    """What a partner says to the user, made harmless to a terminal."""
    said = answer_in(body).get("message") or answer_in(body).get("error") or ""
    return "".join(sign for sign in str(said)[:_MESSAGE_MAX] if sign.isprintable())


def config_in(given: object, manifest: Manifest) -> dict[str, str]:
    """The config of an add-on: `{"MYADDON_URL": …}` or `[{"name", "value"}]`, as keys. Raises: Invalid for names it did not announce."""
    if isinstance(given, list):
        given = {str(each.get("name")): each.get("value") for each in given if isinstance(each, Mapping)}
    config = {}
    for name, value in (given if isinstance(given, Mapping) else {}).items():
        key = str(name).removeprefix(f"{manifest.prefix}_")
        if key == name or key not in manifest.keys:
            raise Invalid(f"The config var {str(name)[:80]} is not in the manifest of {manifest.service.name}.")
        if not isinstance(value, str) or "\0" in value or len(value) > 64 * 1024:
            raise Invalid(f"The config var {name} of {manifest.service.name} must be a text.")
        config[key] = value
    return config


def sign_on(manifest: Manifest, provider_id: str, app: str, email: str, user_id: UUID, now_s: int) -> dict[str, str]:
    """The fields of the form that leads a user into the partner's dashboard."""
    token = hashlib.sha1(f"{provider_id}:{manifest.sso_salt}:{now_s}".encode(), usedforsecurity=False).hexdigest()
    return {
        "id": provider_id, "resource_id": provider_id, "resource_token": token, "token": token, "timestamp": str(now_s),
        "email": email, "user_id": str(user_id), "app": app, "context_app": app, "nav-data": "",
    }  # fmt: skip
