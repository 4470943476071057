"""Add-ons: services of suppliers, made for an app by plan, known to apps by attachments that become config vars.

Source: https://devcenter.heroku.com/articles/add-ons, /articles/managing-add-ons; schemas `add-on`, `add-on-attachment`, `plan`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import NAMESPACE_DNS, UUID, uuid5

from .errors import Conflict, Invalid

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,99}\Z")
_ADD_ON_NAME = re.compile(r"^[a-z][a-z0-9-]{0,254}\Z")
COLORS = (
    "AMBER AQUA BLACK BLUE BROWN CHARCOAL COBALT COPPER CRIMSON CYAN GOLD GRAY GREEN IVORY JADE MAROON MAUVE NAVY OLIVE ONYX"
    " ORANGE PINK PUCE PURPLE RED ROSE SILVER TEAL VIOLET WHITE YELLOW"
).split()


class AddOnState(StrEnum):
    """Schema `add-on`."""

    PROVISIONING = "provisioning"
    PROVISIONED = "provisioned"
    DEPROVISIONING = "deprovisioning"
    DEPROVISIONED = "deprovisioned"


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to have a service. `limits` are the supplier's own numbers, such as `connections` and `bytes`; prices in cents a month."""

    service: str
    slug: str
    human_name: str
    price_cents: int
    limits: Mapping[str, int]
    is_default: bool = False

    @property
    def name(self) -> str:
        """`service:slug`."""
        return f"{self.service}:{self.slug}"


@dataclass(frozen=True, slots=True)
class AddOnService:
    """A kind of add-on.

    `aliases` name it too; `first_attachment` is what an app's first is attached as; `prefix` begins add-on names; `keys` are those of
    its suppliers' config (`NAME=VARIABLE`: not after the attachment's name, see `variables`); `message` is what whoever made one is told.
    """

    name: str
    human_name: str
    plans: tuple[Plan, ...]
    first_attachment: str
    later_attachments: str
    prefix: str
    keys: tuple[str, ...] = ("URL",)
    aliases: tuple[str, ...] = ()
    supports_sharing: bool = True
    supports_multiple: bool = True
    message: str | None = None

    def plan(self, slug: str) -> Plan:
        """A plan by its slug; empty gives the default one. Raises: Invalid."""
        for plan in self.plans:
            if plan.slug == slug or (not slug and plan.is_default):
                return plan
        known = ", ".join(plan.slug for plan in self.plans)
        raise Invalid(f"Couldn't find the plan {self.name}:{slug[:60]}; there are {known}.")


@dataclass(frozen=True, slots=True)
class AddOn:
    """One add-on. `app_id` is who pays; `config` what its supplier gave (`{"URL": …}`), secret; `plan` is a slug.

    `options` are the supplier's own, said when it was made. `follows` is the database that this one is a copy of, kept up to date, to be
    read only. `next_plan` is the one that its supplier was asked to change it to and has not answered yet.
    """

    id: UUID
    app_id: UUID
    name: str
    service: str
    plan: str
    state: AddOnState
    created_at: datetime
    updated_at: datetime
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    message: str | None = None
    provider_id: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    follows: UUID | None = None
    next_plan: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """An add-on as an app knows it: `NAME_URL` and so on. One name is one attachment of an app."""

    id: UUID
    add_on_id: UUID
    app_id: UUID
    name: str
    created_at: datetime
    updated_at: datetime
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What a supplier answers who has more to say than a config.

    `config` is None when nothing changes, or when it takes longer and is told later; `provider_id` is the supplier's own name for it.
    """

    config: Mapping[str, str] | None = field(repr=False)
    provider_id: str | None = None
    message: str | None = None


class Supplier(Protocol):
    """Makes add-ons of one service. Each call may be repeated after a crash, with the same effect as one."""

    @property
    def service(self) -> AddOnService:
        """What it supplies."""

    async def provision(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Mapping[str, str] | Given:
        """Makes the resource of an add-on; gives its config, with more or later as Given.

        Raises: Invalid for options, Unavailable when it cannot be made now.
        """

    async def change_plan(self, id: UUID, plan: Plan) -> Given | None:
        """Raises: Invalid when what is there does not fit the plan, Unavailable."""

    async def deprovision(self, id: UUID) -> None:
        """Takes the resource and all its data away; nothing to do when there is none. Raises: Unavailable."""


Suppliers = Mapping[str, Supplier]


def plan_id(plan: Plan) -> UUID:
    """The same on every platform, as plans are code."""
    return uuid5(NAMESPACE_DNS, f"{plan.slug}.{plan.service}.plan.senryu")


def service_id(service: AddOnService) -> UUID:
    """The same on every platform."""
    return uuid5(NAMESPACE_DNS, f"{service.name}.service.senryu")


def chosen(suppliers: Suppliers, wanted: str) -> tuple[Supplier, Plan]:
    """Who makes `service` or `service:plan`. Raises: Invalid."""
    name, _, slug = wanted.partition(":")
    for supplier in suppliers.values():
        if name == supplier.service.name or name in supplier.service.aliases:
            return supplier, supplier.service.plan(slug)
    known = ", ".join(sorted(suppliers)) or "none"
    raise Invalid(f"Couldn't find the add-on service {name[:60]}; this platform has {known}.")


def checked_attachment_name(name: str) -> str:
    """In capitals. Raises: Invalid."""
    if not _NAME.match(name):
        raise Invalid(f"`{name[:60]}` is no attachment name; use letters, digits and underscores, beginning with a letter.")
    return name.upper()


def checked_add_on_name(name: str) -> str:
    """Raises: Invalid."""
    if not _ADD_ON_NAME.match(name):
        raise Invalid(f"`{name[:60]}` is no add-on name; use lower-case letters, digits and hyphens, beginning with a letter.")
    return name


def next_attachment_name(service: AddOnService, taken: Iterable[str], roll: int) -> str:
    """What an attachment is called whose owner does not say: the service's own name first, then one with a colour."""
    taken = set(taken)
    if service.first_attachment not in taken:
        return service.first_attachment
    for number in range(len(COLORS)):
        name = f"{service.later_attachments}_{COLORS[(roll + number) % len(COLORS)]}"
        if name not in taken:
            return name
    raise Conflict(f"This app has {len(COLORS)} attachments of {service.name}; say a name of your own with --as.")


def variables(attachment: Attachment, add_on: AddOn) -> dict[str, str]:
    """The config vars that an attachment stands for. An add-on that is still being made has none."""
    if add_on.state is AddOnState.PROVISIONING:
        return {}
    return {name: value for key, value in add_on.config.items() if (name := _variable(attachment.name, key))}


def _variable(attachment: str, key: str) -> str | None:
    """What a key of an add-on's config is called in an app. `NAME=VARIABLE` is `VARIABLE` by an attachment called `NAME`, and no other."""
    owner, is_plain, variable = key.partition("=")
    if not is_plain:
        return f"{attachment}_{key}"
    return variable if owner == attachment else None


def all_variables(attachments: Iterable[tuple[Attachment, AddOn]]) -> dict[str, str]:
    """The config vars of several attachments."""
    return {key: value for attachment, add_on in attachments for key, value in variables(attachment, add_on).items()}


def check_may_have(app_name: str, service: AddOnService, own: Iterable[AddOn]) -> None:
    """Whether an app that pays for `own` may have one more of a service. Raises: Invalid."""
    for add_on in own:
        if add_on.service == service.name and not service.supports_multiple:
            raise Invalid(f"{app_name} has {add_on.name} already, and an app can have one {service.name} only; use that one.", app=app_name)


def check_free(name: str, add_on: AddOn, attached: Iterable[tuple[Attachment, AddOn]], config: Mapping[str, str]) -> None:
    """Whether an app may attach `add_on` as `name`. Raises: Conflict when the name or one of its config vars is taken."""
    for attachment, other in attached:
        if attachment.name == name:
            raise Conflict(f"{name} is an attachment of {other.name} already; detach it first, or say another name with --as.")
    for key in add_on.config:
        if (variable := _variable(name, key)) in config:
            raise Conflict(f"The config var {variable} is set; unset it first, or say another name with --as.")


def check_not_attached(changes: Iterable[str], attached: Mapping[str, str]) -> None:
    """Config vars of add-ons are not set by hand. Raises: Invalid."""
    for key in changes:
        if key in attached:
            raise Invalid(f"Cannot overwrite attachment values {key}: it comes from an add-on; detach that instead.")
