"""logs: the app's log as server-sent events.

Source: https://devcenter.heroku.com/articles/logging, https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

from senryu.cli.arguments import AN_APP, Command, Flag, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import has_colour, paint
from senryu.cli.platform_api import PlatformApi, open_stream, path_of
from senryu.cli.remotes import app_for

IDLE_TIMEOUT_S = 300.0
RETRY_S = 3.0
RETRY_MAX_S = 30.0
TROUBLE_MAX_S = 120.0
LINES_DEFAULT = 100
LINE_MAX_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
HEAD = re.compile(r"^(\S+ [\w.-]+\[([\w.-]+)\]:)(.*)$", re.DOTALL)
COLOURS = ("yellow", "green", "cyan", "magenta", "blue")
BAD = re.compile(r"( code=[HRL]\d+| status=5\d\d|Error [RL]\d+)")


class Event:
    """One event of the stream; `retry_s` is set when the server names its pause before a reconnect."""

    __slots__ = ("data", "id", "retry_s")

    def __init__(self) -> None:
        self.data: list[str] = []
        self.id: str | None = None
        self.retry_s: float | None = None


def events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events in a stream of lines; an event that the end cuts off is dropped, as the standard says."""
    event = Event()
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            yield event
            event = Event()
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            event.data.append(value)
        elif field == "id" and "\0" not in value:
            event.id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            event.retry_s = int(value) / 1000


def lines_of(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body's lines as they come; overlong ones are cut. Raises HTTPException when the connection is cut."""
    # Not `readline`, which takes a cut connection for a clean end.
    held = b""
    while chunk := response.read1(CHUNK_BYTES):
        *whole, held = (held + chunk).split(b"\n")
        yield from (line[:LINE_MAX_BYTES] for line in whole)
        held = held[:LINE_MAX_BYTES]
    if held:
        yield held


class Paints:
    """A colour for each kind of dyno, the same in every run for the usual ones."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self._given: dict[str, str] = {}
        for kind in ("run", "router", "web", "postgres", "api"):
            self._colour(kind)

    def _colour(self, kind: str) -> str:
        return self._given.setdefault(kind, COLOURS[len(self._given) % len(COLOURS)])

    def line(self, line: str) -> str:
        """The line with its head in the dyno's colour."""
        found = HEAD.match(line) if self.on else None
        if not found:
            return line
        head, dyno, text = found.groups()
        return paint(head, self._colour(dyno.partition(".")[0])) + BAD.sub(lambda match: paint(match.group(), "red"), text)


class Tail:
    """Follows one log session over reconnects. Every wait is bounded; trouble for two minutes on end is a `Failure`."""

    def __init__(self, url: str, *, keep_on: bool) -> None:
        self.url = url
        self.keep_on = keep_on
        self.last_id: str | None = None
        self.pause_s = RETRY_S
        self._trouble_since: float | None = None

    def lines(self) -> Iterator[str]:
        """The log's lines, each once. Raises `Failure` when the session is over or nobody answers."""
        while True:
            try:
                yield from self._connection()
                self._trouble_since = None
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, BrokenPipeError):
                    raise
                self._note_trouble(error)
            if not self.keep_on:
                return
            time.sleep(min(self.pause_s, RETRY_MAX_S))

    def _note_trouble(self, error: Exception) -> None:
        self._trouble_since = self._trouble_since or time.monotonic()
        if not self.keep_on or time.monotonic() - self._trouble_since > TROUBLE_MAX_S:
            raise Failure(f"The log stream broke off: {error}", hint="Ask for the log again", status=API) from error

    def _connection(self) -> Iterator[str]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        response = open_stream(self.url, headers, IDLE_TIMEOUT_S)
        try:
            self._check(response)
            for event in events(lines_of(response)):
                self._trouble_since = None
                self.pause_s = event.retry_s if event.retry_s is not None else self.pause_s
                yield from event.data
                self.last_id = event.id if event.id is not None else self.last_id
        finally:
            response.close()

    def _check(self, response: http.client.HTTPResponse) -> None:
        if response.status >= 500 and self.keep_on:
            raise ConnectionError(f"the platform answered {response.status}")
        if response.status in (403, 404, 410):
            raise Failure("The log session is over", hint="Ask for the log again", status=API)
        if response.status != 200 or not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise Failure(f"The log stream cannot be read: status {response.status}", status=API)


def _logs(typed: Typed) -> None:
    app = app_for(typed)
    dyno, kind = typed.text("dyno") or typed.text("dyno-name"), typed.text("process-type") or typed.text("ps")
    if dyno and kind:
        raise Failure(f"Name a dyno or a process type, not both (`{dyno}`, `{kind}`)")
    body: dict[str, Any] = {"lines": typed.number("num", LINES_DEFAULT), "tail": typed.on("tail")}
    if dyno or kind:
        body["dyno"] = dyno or kind
    if typed.text("source"):
        body["source"] = typed.text("source")
    with PlatformApi() as api:
        session = api.post(path_of("apps", app, "log-sessions"), body)
    import sys

    paints = Paints(has_colour(sys.stdout))
    for line in Tail(session["logplex_url"], keep_on=typed.on("tail")).lines():
        print(paints.line(line), flush=True)


TOPIC = {
    "logs": Command(
        _logs, "",
        (
            *AN_APP,
            Flag("num", "n", "NUM", f"number of lines ({LINES_DEFAULT})"),
            Flag("tail", "t", "", "keep showing new lines"),
            Flag("dyno", "d", "DYNO", "only this dyno, such as web.1"),
            Flag("dyno-name", "", "DYNO", "the same as --dyno"),
            Flag("process-type", "p", "TYPE", "only this process type, such as web"),
            Flag("ps", "", "TYPE", "the same as --process-type"),
            Flag("source", "s", "SOURCE", "only this source: app or heroku"),
        ),
        examples=("logs --tail", "logs -n 1500 --source app", "logs --dyno web.1"),
    ),
}  # fmt: skip
