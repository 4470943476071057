"""Routes: which dynos a host name leads to, and the contract of the router.

Source: https://devcenter.heroku.com/articles/http-routing, /articles/error-codes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class RouteMode(StrEnum):
    """What becomes of a request. SERVE leads to a dyno; BOOT waits for one (H20 after 75 s); the others are answered with an error page."""

    SERVE = "serve"
    BOOT = "boot"
    CRASHED = "crashed"  # H10
    STOPPED = "stopped"  # H14
    MAINTENANCE = "maintenance"  # H80
    BLANK = "blank"  # H81


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

    Times are milliseconds, -1 when the step was not reached. `cause` is the router's own two-letter termination state.
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

    def requests(self, after: int) -> AsyncIterator[list[RequestLine]]:
        """Batches of finished requests with positions above `after`, for ever."""
