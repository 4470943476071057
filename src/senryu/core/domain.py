"""Domains: the names under which an app answers.

Source: https://devcenter.heroku.com/articles/custom-domains, schema `domain`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .errors import Invalid

_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Domain:
    """A custom domain (`kind` custom) or the app's own one (`kind` heroku, not stored).

    `acm_status` and its reason are those of certs:auto, None when it is off.
    """

    id: UUID
    app_id: UUID
    hostname: str
    created_at: datetime
    updated_at: datetime
    sni_endpoint_id: UUID | None = None
    acm_status: str | None = None
    acm_status_reason: str | None = None


def checked_hostname(hostname: str, *, platform_domain: str) -> str:
    """A host name as the router looks it up: lower case, A-labels, no trailing dot; `*.` may lead.

    Raises: Invalid when it is none, an address, or belongs to the platform.
    """
    wanted = hostname.strip().lower().removesuffix(".")
    try:
        wanted = ("*." if wanted.startswith("*.") else "") + wanted.removeprefix("*.").encode("idna").decode()
    except UnicodeError:
        raise Invalid(f"`{hostname[:80]}` is no host name; use one such as www.example.com.") from None
    labels = wanted.removeprefix("*.").split(".")
    if len(labels) < 2 or len(wanted) > 253 or not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        raise Invalid(f"`{hostname[:80]}` is no host name; use one such as www.example.com.")
    own = platform_domain.lower()
    takes_own = wanted.startswith("*.") and ("." + own).endswith(wanted[1:])
    if wanted == own or wanted.endswith("." + own) or takes_own:
        raise Invalid(f"`{wanted}` belongs to the platform's own domain {own}; use a domain of yours.")
    return wanted
