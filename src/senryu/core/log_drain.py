"""Log drains: where else an app's log goes.

Source: https://devcenter.heroku.com/articles/log-drains, schema `log-drain`; frames: RFC 5424, RFC 6587 (octet counting), as logplex
writes them (https://github.com/heroku/logplex).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

from . import limits
from .errors import Invalid
from .log_line import LogLine

_PORTS: Final = {"https": 443, "http": 80, "syslog": 514, "syslog+tls": 6514}
_FORM: Final = "use https://host/path, syslog://host:port or syslog+tls://host:port"
# PRI = facility * 8 + severity: local7.info for what dynos write, local3.info for the router, syslog.notice for the platform.
_PRI_APP, _PRI_ROUTER, _PRI_PLATFORM, _PRI_LOSS = 190, 158, 45, 172
# Lines we write about drains have such an origin; no drain carries them, or two drains that are down would keep each other busy.
_ORIGIN: Final = "drain:"


@dataclass(frozen=True, slots=True)
class LogDrain:
    """A drain. `url` may hold credentials; `token` (`d.` and a UUID) names the drain to its receiver; `after_seq` is the log line it
    starts behind."""

    id: UUID
    app_id: UUID
    url: str
    token: str
    after_seq: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Receiver:
    """A drain's address in parts. `scheme` is https, http, syslog or syslog+tls; `target` the path with the query; `credentials` is
    `user:password` or empty."""

    scheme: str
    host: str
    port: int
    target: str
    credentials: str

    @property
    def is_syslog(self) -> bool:
        """Whether it takes RFC 5424 over a connection, instead of requests."""
        return self.scheme.startswith("syslog")

    @property
    def is_encrypted(self) -> bool:
        """Whether its certificate is checked."""
        return self.scheme in ("https", "syslog+tls")


class Draining(Protocol):
    """Sends apps' logs to their drains. Whoever changed the drains in the database wakes it; it looks there itself."""

    def wake(self) -> None:
        """Has it look at what is wanted now. Never waits."""


def receiver(url: str) -> Receiver:
    """The address in parts. Raises: Invalid when it is no drain's."""
    if len(url) > limits.DRAIN_URL_MAX_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid(f"The drain's URL is not well formed; {_FORM}.")
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        raise Invalid(f"The drain's URL is not well formed; {_FORM}.") from None
    if scheme not in _PORTS or not host or port == 0:
        raise Invalid(f"The drain's URL is not one of a drain; {_FORM}.")
    if scheme.startswith("syslog") and (parts.path.strip("/") or parts.query or "@" in parts.netloc):
        raise Invalid("A syslog drain's URL has a host and a port only; use syslog://host:port or syslog+tls://host:port.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    credentials = unquote(parts.netloc.rpartition("@")[0])
    return Receiver(scheme, host, port or _PORTS[scheme], target, credentials)


def masked(url: str) -> str:
    """The URL for logs and error texts: without credentials, and without what the query may hold of them."""
    parts = urlsplit(url)
    secret, at, place = parts.netloc.rpartition("@")
    user = f"{secret.partition(':')[0]}:[REDACTED]" if ":" in secret else "[REDACTED]"
    query = "?[REDACTED]" if parts.query else ""
    return f"{parts.scheme}://{user + at if at else ''}{place}{parts.path}{query}"


def origin_of(drain: LogDrain) -> str:
    """The `origin` of log lines that tell about a drain."""
    return f"{_ORIGIN}{drain.id}"


def is_carried(line: LogLine) -> bool:
    """Whether drains send a line: all but those about drains themselves."""
    return not line.origin.startswith(_ORIGIN)


def is_gap(line: LogLine) -> bool:
    """Whether the line stands for those a reader of the log was too slow for (L11); its `seq` is that of the last one lost."""
    return line.source == "heroku" and line.process == "logplex" and not line.origin and line.text.startswith("Error L11 ")


def priority(line: LogLine) -> int:
    """The PRI of RFC 5424 that Heroku's own receivers see for such a line."""
    if line.process in ("logplex", "log-shuttle"):
        return _PRI_LOSS
    if line.source == "app":
        return _PRI_APP
    return _PRI_ROUTER if line.process == "router" else _PRI_PLATFORM


def _frame(line: LogLine, host: str, rest: str) -> bytes:
    at = line.at.astimezone(UTC).isoformat(timespec="microseconds")
    message = f"<{priority(line)}>1 {at} {host} {line.source} {line.process or '-'} {rest} {line.text}\n".encode("utf-8", "replace")
    return b"%d %s" % (len(message), message)


def syslog_frame(line: LogLine, token: str) -> bytes:
    """`LEN <PRI>1 TIME TOKEN SOURCE PROCESS - - TEXT\\n` for a connection; LEN counts the bytes behind it, newline included."""
    return _frame(line, token, "- -")


def https_frame(line: LogLine) -> bytes:
    """`LEN <PRI>1 TIME host SOURCE PROCESS - TEXT\\n` for a request: the word `host`, and no structured data, as logplex has it."""
    return _frame(line, "host", "-")


def overflow(count: int, *, since: datetime, now: datetime, origin: str = "", position: int = 0) -> LogLine:
    """L10: a drain took less than the app wrote. Source: https://devcenter.heroku.com/articles/error-codes#l10-drain-buffer-overflow"""
    since_text = since.astimezone(UTC).isoformat(timespec="seconds")
    text = f"Error L10 (output buffer overflow): {count} messages dropped since {since_text}."
    return LogLine(now, "heroku", "logplex", text, origin, position)


def bad_certificate(reason: str, url: str, *, now: datetime, origin: str, position: int) -> LogLine:
    """L14: the receiver's certificate is not valid. `url` is shown without credentials.

    Source: https://devcenter.heroku.com/articles/error-codes#l14-certificate-validation-error
    """
    text = f'Error L14 (certificate validation): error="{reason.replace(chr(34), chr(39))[:200]}" uri="{masked(url)}"'
    return LogLine(now, "heroku", "logplex", text, origin, position)


def is_refusal(status: int) -> bool:
    """Whether a receiver refuses a request for good: 4xx but 429. Anything else that is not 2xx may work later."""
    return 400 <= status < 500 and status != 429


def backoff_max_s(failures: int) -> float:
    """Before the next request: a random time up to this, 2^n slots of 10 ms, n at most 10. Source: logplex_http_drain."""
    return float(limits.DRAIN_SLOT_S * 2 ** min(failures, 10))


def reconnect_delay_s(failures: int, since_last_s: float) -> float:
    """Before the next connection: 2^n s up to five minutes, and never within 30 s of the last. Source: logplex_tcpsyslog_drain."""
    if failures == 0:
        return 0.0
    backoff = min(2.0 ** min(failures, 10), limits.DRAIN_RECONNECT_MAX_S)
    return max(backoff, limits.DRAIN_RECONNECT_MIN_S - since_last_s)
