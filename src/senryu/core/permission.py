"""What an account may do with an app, and what each call of the API needs.

Source: https://devcenter.heroku.com/articles/app-permissions
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from .errors import Invalid
from .team import Role


class Permission(StrEnum):
    """Kinds of access. `view` comes with each of the others."""

    VIEW = "view"
    DEPLOY = "deploy"
    OPERATE = "operate"
    MANAGE = "manage"


DESCRIPTIONS = {
    Permission.VIEW: "Can see the app, its dynos and its releases",
    Permission.DEPLOY: "Can push code, change config vars and add-ons, and roll back",
    Permission.OPERATE: "Can scale, restart and run dynos, read logs, and change domains and drains",
    Permission.MANAGE: "Can rename, transfer and destroy the app and say who has access",
}
EVERY = frozenset(Permission)
# What a collaborator has whose permissions nobody chose.
USUAL = frozenset({Permission.VIEW, Permission.DEPLOY, Permission.OPERATE})

_DEPLOYING = frozenset("builds build-cache buildpack-installations config-vars releases slugs sources addons addon-attachments".split())
# Reading these shows secrets, code or what users of the app did.
_GUARDED = frozenset({"config-vars", "log-sessions", "log-drains", "slugs", "webhooks"})


def permissions_in(role: Role | None, *, is_locked: bool, given: frozenset[Permission] | None) -> frozenset[Permission]:
    """What an account may do with a team's app: by its role in the team, and by what it was given at the app itself.

    A locked app is hidden from those of the team who were not let in. Pure.
    """
    if role is Role.ADMIN:
        return EVERY
    by_role = frozenset({Permission.VIEW}) if role in (Role.MEMBER, Role.VIEWER) and not is_locked else frozenset[Permission]()
    return by_role | (given | {Permission.VIEW} if given is not None and role is not None else frozenset())


def needed(method: str, path: str) -> Permission:
    """The least permission a call below `/apps/<app>` needs; changing who has access is for `manage`, but leaving is not. Pure."""
    parts = path.removeprefix("/teams").strip("/").split("/")[2:]
    kind = parts[-1] if "config-vars" in parts else parts[0] if parts else ""
    if kind == "collaborators" or (method in ("GET", "HEAD") and kind not in _GUARDED):
        return Permission.VIEW
    return Permission.DEPLOY if kind in _DEPLOYING else Permission.OPERATE


def permissions_named(names: object) -> frozenset[Permission]:
    """Permissions by name, with `view`. Raises: Invalid, listing them."""
    if not isinstance(names, Sequence) or isinstance(names, str) or len(names) > 20:
        raise Invalid(f"`permissions` must be a list of {', '.join(Permission)}.")
    try:
        return frozenset({Permission(name) for name in names if isinstance(name, str)} | {Permission.VIEW})
    except ValueError:
        raise Invalid(f"Permissions are {', '.join(Permission)}.") from None
