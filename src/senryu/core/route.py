"""Routes: which dynos a host name leads to, and the contract of the router.

Source: https://devcenter.heroku.com/articles/http-routing, /articles/error-codes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from .dyno import Dyno, DynoState
from .errors import Invalid
from .sleep import SleepReason

PAGE_URL_MAX_CHARS = 2000
_CHALLENGE = re.compile(r"/\.well-known/acme-challenge/[A-Za-z0-9_-]{1,256}\Z")
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\Z")
_HOST_MAX_CHARS = 253
_PAGE_URL = re.compile(r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~:/?#@!$&()*+,;=%-]*)?\Z")


class RouteMode(StrEnum):
    """What becomes of a request. SERVE leads to a dyno; BOOT waits for one (H20 after 75 s); the others are answered with an error page."""

    SERVE = "serve"
    BOOT = "boot"
    CRASHED = "crashed"  # H10
    STOPPED = "stopped"  # H14
    MAINTENANCE = "maintenance"  # H80
    BLANK = "blank"  # H81
    IDLE = "idle"  # waits as BOOT does, and the platform is told that somebody does
    EXHAUSTED = "exhausted"  # H82


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """A web dyno that can take requests: `web.1` at `10.64.0.7:5000`. A draining one finishes what it has and gets nothing new."""

    dyno_id: UUID
    dyno_name: str
    address: str
    is_draining: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One app as the router sees it.

    `hosts` are lower-case names, `*.example.com` for wildcards; `error_page_url` and `maintenance_page_url` replace the built-in pages.
    """

    app_id: UUID
    app_name: str
    hosts: tuple[str, ...]
    mode: RouteMode
    targets: tuple[RouteTarget, ...] = ()
    error_page_url: str | None = None
    maintenance_page_url: str | None = None


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One finished request, told by the router, as values; `core.codes.router_line` makes Heroku's text of it.

    Times are milliseconds, -1 when the step was not reached. `cause` is the router's own two-letter termination state; `detail` says
    which of its restrictions an H25 broke.
    `position` orders lines within one run of the router and lets a reader go on where it stopped.
    """

    position: int
    at_ms: int
    app_id: UUID | None
    method: str
    path: str
    host: str
    request_id: str
    fwd: str
    dyno: str
    connect_ms: int
    service_ms: int
    status: int
    sent_bytes: int
    protocol: str
    code: str
    cause: str
    tls: bool
    detail: str = ""


class Router(Protocol):
    """Takes requests from outside to dynos. All calls raise Unavailable when it does not answer within limits.ROUTER_TIMEOUT_S."""

    async def apply(self, route: Route) -> None:
        """Makes the app's route this one, without a reload and without dropping a request. Idempotent."""

    async def remove(self, app_id: UUID) -> None:
        """Forgets the app: its hosts answer `no such app`. Idempotent."""

    async def routes(self) -> list[Route]:
        """What the router really routes now, as far as it can tell (hosts, mode, targets)."""

    async def active_requests(self, dyno_id: UUID) -> int:
        """How many requests a target is working on; 0 when it is not known."""

    def waiting(self) -> AsyncIterator[UUID]:
        """Apps whose route is IDLE and that somebody asks for, for ever; each again while somebody waits."""

    async def quiet_s(self) -> Mapping[UUID, float]:
        """By app, for how many seconds no request of it was under way: 0 while one is, a WebSocket too. Never more than the truth."""

    def requests(self, after: int) -> AsyncIterator[list[RequestLine]]:
        """Batches of finished requests with positions above `after`, for ever."""

    async def put_certificate(self, host: str, pem: str) -> None:
        """Serves `host` (a name or `*.example.com`) over TLS with this certificate from now on, without a reload. Idempotent.

        `pem` holds the leaf, its chain and its private key without a passphrase. It is kept for the router's own restarts, and replaces
        the one before. Names without one are answered with the platform's own certificate.
        Raises Invalid when it cannot be read, has no key that fits, or is one the router's TLS library refuses.
        """

    async def remove_certificate(self, host: str) -> None:
        """Forgets it: `host` is answered with the platform's own certificate again. Idempotent."""

    async def certificates(self) -> Mapping[str, str]:
        """Host → SHA-256 (lower-case hexadecimal) of the DER of the leaf served now; "" where a restart would serve another."""

    async def set_challenges(self, paths: Collection[str]) -> None:
        """Sends requests for exactly these paths (`/.well-known/acme-challenge/…`) to the platform, whatever their host. Idempotent.

        Raises Invalid for a path of another form. Source: RFC 8555, 8.3.
        """

    async def set_rooms(self, rooms: Mapping[str, int]) -> None:
        """Bytes that each bucket of object storage may still take: uploads of more are refused, as S3 refuses (403 QuotaExceeded).

        A bucket that is not named may take anything. Idempotent. Raises Invalid for what is no bucket's name.
        """


def page_url(text: str | None) -> str | None:
    """An address that may stand in for an error page: absolute http or https, without what could break out of the page around it.

    Anything else is None, and the built-in page is shown: a mistyped config var must not take an app's routing down.
    """
    if text is None or len(text) > PAGE_URL_MAX_CHARS or not _PAGE_URL.match(text):
        return None
    return text


def is_host(text: str) -> bool:
    """Whether this can be a route's host: a lower-case name, or `*.` and one."""
    return len(text) <= _HOST_MAX_CHARS and _HOST.match(text) is not None


def check_certificate_host(host: str) -> None:
    """Raises Invalid for what no certificate can be served for."""
    if not is_host(host):
        raise Invalid(f"The host `{host[:100]}` is not a host name; use letters, digits, hyphens and dots.")


def check_challenge(path: str) -> None:
    """Raises Invalid for what is no path of an HTTP-01 challenge. Source: RFC 8555, 8.3."""
    if not _CHALLENGE.match(path):
        raise Invalid(f"`{path[:100]}` is not the path of an ACME challenge.")


def hosts_of(app_name: str, platform_domain: str, domains: Sequence[str]) -> tuple[str, ...]:
    """Every name an app answers to: its own below the platform's domain, then its custom ones."""
    return (f"{app_name}.{platform_domain}".lower(), *domains)


def mode_of(
    web_quantity: int,
    web: Sequence[Dyno],
    *,
    has_code: bool,
    is_maintenance: bool,
    is_serving: bool,
    sleep: SleepReason | None = None,
) -> RouteMode:
    """What becomes of an app's requests. A first crash is restarted at once, so visitors wait; from the second on they are told (H10)."""
    if not has_code:
        return RouteMode.BLANK
    if is_maintenance:
        return RouteMode.MAINTENANCE
    if sleep is not None and web_quantity > 0:
        return RouteMode.EXHAUSTED if sleep is SleepReason.HOURS else RouteMode.IDLE
    if is_serving:
        return RouteMode.SERVE
    if web_quantity == 0:
        return RouteMode.STOPPED
    if any(dyno.state in (DynoState.STARTING, DynoState.CRASHED) and dyno.crashes <= 1 for dyno in web):
        return RouteMode.BOOT
    if any(dyno.state is DynoState.CRASHED or dyno.crashes > 1 for dyno in web):
        return RouteMode.CRASHED
    return RouteMode.BOOT


def targets_of(web: Sequence[Dyno], addresses: Mapping[UUID, str]) -> tuple[RouteTarget, ...]:
    """The dynos that take requests, draining ones marked."""
    return tuple(
        RouteTarget(dyno.id, dyno.name, addresses[dyno.id], dyno.drained_at is not None)
        for dyno in web
        if dyno.state is DynoState.UP and dyno.stopped_at is None and dyno.id in addresses
    )
