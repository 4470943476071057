"""One line of HAProxy's request log as a RequestLine. Text only; config.LOG_FORMAT is what writes it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from senryu.core.codes import error_code
from senryu.core.route import RequestLine

_FIELDS, _FORWARDED = 21, 6
_LIST = msgspec.json.Decoder(list[Any])
_ABSENT = ("-", "<NOSRV>", "<BADREQ>")


def request_line(raw: bytes, position: int) -> RequestLine | None:
    """The request that a log line tells of, None for a line that is none (HAProxy's own start-up words, a torn one)."""
    try:
        fields = [str(field) for field in _LIST.decode(raw)]
        if len(fields) == _FIELDS - 1:  # a HAProxy that an older version started, until this one has it start anew: both addresses in one
            fields.insert(_FORWARDED, "")
        return _line(fields, position) if len(fields) == _FIELDS else None
    except (msgspec.DecodeError, ValueError, UnicodeDecodeError):
        return None


def _line(fields: list[str], position: int) -> RequestLine:
    at, app, method, path, host, request_id, forwarded, visitor, server, *numbers, cause, tls, code, read, length = (
        "" if field in _ABSENT else field for field in fields
    )
    code, _, detail = code.partition(" ")
    queue_ms, connect_ms, _first_byte_ms, active_ms, headers_ms, status, sent_bytes = (int(number) for number in numbers)
    return RequestLine(
        position=position,
        at_ms=int(at),
        app_id=UUID(app.split(":")[1]) if app.count(":") == 2 else None,
        method=method,
        path=path,
        host=host,
        request_id=request_id,
        fwd=f"{forwarded}, {visitor}" if forwarded else visitor,
        dyno=server.partition(":")[0],
        connect_ms=connect_ms,
        service_ms=max(0, active_ms - max(0, headers_ms) - max(0, queue_ms) - connect_ms) if connect_ms >= 0 else -1,
        status=status,
        sent_bytes=sent_bytes,
        protocol="https" if tls == "1" else "http",
        code=error_code(cause, status, code, is_unfinished=bool(length) and int(read) < int(length)),
        cause=cause,
        tls=tls == "1",
        detail=detail,
    )
