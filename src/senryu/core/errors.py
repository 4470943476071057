"""Errors a user can see: a kind, an `id` as Heroku spells it, and one sentence that says what to do.

Source: https://devcenter.heroku.com/articles/platform-api-reference#errors
"""

from __future__ import annotations


class PlatformError(Exception):
    """A failure with a sentence for the user.

    Takes: `message`, one sentence (what failed, about which thing, what to do); `id`, Heroku's error id;
    `url`, a page that says more; `app`, the app's name when the failure is about one; `retry_after_s`,
    when it may go better.
    """

    id = "internal_server_error"

    def __init__(
        self, message: str, *, id: str | None = None, url: str | None = None, app: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.url = url
        self.app = app
        self.retry_after_s = retry_after_s
        if id is not None:
            self.id = id


class NotFound(PlatformError):
    """No such thing, or none that this account may know of."""

    id = "not_found"


class Invalid(PlatformError):
    """What was sent cannot be accepted as it is."""

    id = "invalid_params"


class BadRequest(PlatformError):
    """What was sent cannot be read at all (JSON, header, range)."""

    id = "bad_request"


class Unauthorized(PlatformError):
    """No credentials, or none that are valid."""

    id = "unauthorized"


class Forbidden(PlatformError):
    """The account is known and may not do this."""

    id = "forbidden"


class Conflict(PlatformError):
    """Another change is under way or the thing is in a state that does not allow this."""

    id = "conflict"


class RateLimited(PlatformError):
    """Too many calls. Source: Dev Center, platform-api-reference#rate-limits."""

    id = "rate_limit"


class Unavailable(PlatformError):
    """A part of the platform does not answer; the same call may work later."""

    id = "service_unavailable"
