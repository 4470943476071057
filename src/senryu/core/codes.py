"""Error codes users know, with their fixed wording.

Source: https://devcenter.heroku.com/articles/error-codes
"""

from __future__ import annotations

from typing import Final

from senryu.core.route import RequestLine

# code -> (at, description, status; 0: none is told). Wording is what users grep their logs for.
# H16 and H23 are retired, H31 and H32 are of endpoints shared between customers, H33 of HTTP/2 to dynos, H83 of planned degradation.
H_CODES: Final[dict[str, tuple[str, str, int]]] = {
    "H10": ("error", "App crashed", 503),
    "H11": ("error", "Backlog too deep", 503),
    "H12": ("error", "Request timeout", 503),
    "H13": ("error", "Connection closed without response", 503),
    "H14": ("error", "No web processes running", 503),
    "H15": ("error", "Idle connection", 503),
    "H17": ("error", "Poorly formatted HTTP response", 503),
    "H18": ("error", "Server Request Interrupted", 503),
    "H19": ("error", "Backend connection timeout", 503),
    "H20": ("error", "App boot timeout", 503),
    "H21": ("error", "Backend connection refused", 503),
    "H22": ("error", "Connection limit reached", 503),
    "H24": ("error", "Forced close", 0),
    "H25": ("error", "HTTP restriction", 502),
    "H26": ("error", "Request Error", 400),
    "H27": ("warning", "Client Request Interrupted", 499),
    "H28": ("warning", "Client Connection Idle", 499),
    "H80": ("info", "Maintenance mode", 503),
    "H81": ("info", "Blank app", 503),
    "H82": ("info", "Free dyno quota exhausted", 503),
    "H99": ("error", "Platform error", 503),
}

R10: Final = "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch"
R10_OTHER: Final = "The process listens on port {port} instead of $PORT; have it take its port from the environment"
R10_HINT: Final = "The process listens on $PORT on its loopback only; have it listen on 0.0.0.0, so that requests reach it"
R12: Final = "Error R12 (Exit timeout) -> Process failed to exit within 30 seconds of SIGTERM"
R13: Final = "Error R13 (Attach error) -> Failed to attach to process"
R14: Final = "Error R14 (Memory quota exceeded)"
R15: Final = "Error R15 (Memory quota vastly exceeded)"
R16: Final = "Error R16 (Detached) -> An attached process is not responding to SIGHUP after its external connection was closed."
R17: Final = "Error R17 (Checksum error)"
R99: Final = "Error R99 (Platform error) -> Failed to launch the dyno within 10 seconds"

# How HAProxy ended a request (its two-letter termination state) -> the code users know.
# First letter, who: C/c client left/idle, S/s dyno closed/silent, P router refused, R/I out of resources/internal, K killed by an operator.
# Second, when: R reading the request, Q queued, C connecting, H awaiting headers, D passing data, L passing the last of it.
# Source: HAProxy 2.6 configuration manual, section 8.5; every row was provoked for real in tests/routers.
_ENDINGS: Final[dict[str, str]] = {
    **dict.fromkeys(("CR", "CQ", "CC", "CH", "CD", "CL", "C-"), "H27"),
    **dict.fromkeys(("cR", "cQ", "cC", "cH", "cD", "cL", "c-"), "H28"),
    **dict.fromkeys(("RC", "RH", "RD", "IR", "IQ", "IC", "IH", "ID", "IL", "PC"), "H99"),
    **dict.fromkeys(("KQ", "KC", "KH", "KD", "KL"), "H24"),
    **dict.fromkeys(("UC", "UH", "UD", "UL"), "H18"),
    "SC": "H21",
    "sC": "H19",
    "SH": "H13",
    "sH": "H12",
    "SD": "H18",
    "sD": "H15",
    "sL": "H15",
    "sQ": "H11",
    "SQ": "H99",
    "PR": "H26",
    "PH": "H17",
    "PD": "H17",
}
_SWITCHING_PROTOCOLS: Final = 101
_EXPECTATION_FAILED: Final = 417
_BAD_REQUEST: Final = 400
_SOCKETS: Final = {"H18": "backend", "H27": "client"}
# These never reached a dyno: Heroku leaves dyno, times and bytes empty.
_NOT_ROUTED: Final = frozenset({"H10", "H11", "H14", "H20", "H22", "H80", "H81", "H82"})
_MAYBE_ROUTED: Final = frozenset({"H26", "H99"})  # as far as there is a dyno to name
_NOT_ANSWERED: Final = frozenset({"H12", "H13", "H17", "H19", "H21", "H25"})
_AS_SENT: Final = frozenset({"H26"})  # 400 or 417, as the visitor saw it


def error_code(cause: str, status: int, given: str = "", *, is_unfinished: bool = False) -> str:
    """The H code of a request that ended with `cause` after `status` was sent; `given` is one that a rule already decided on.

    `is_unfinished` when the visitor had not sent all of the request's body: then it was not the dyno that was waited for.
    Empty for a request that ended well. A WebSocket ends when either side closes it: only silence is an error there (H15).
    """
    if given:
        return given
    code = _ENDINGS.get(cause[:2], "")
    if code == "H17" and status == _BAD_REQUEST:  # the router itself answers so when the visitor's body is what cannot be read
        return "H26"
    if code == "H12" and is_unfinished:
        return "H28"
    if status == _SWITCHING_PROTOCOLS:
        return "H15" if cause[:2] in ("cD", "sD") else ""
    return code


def router_line(request: RequestLine) -> str:
    """The text of `heroku[router]` for a request, field for field as Heroku writes it.

    `at=info method=GET path="/" host=a.example.com request_id=… fwd="203.0.113.9" dyno=web.1 connect=0ms service=1ms status=200 bytes=12
    protocol=https`; with an error `at=error code=H12 desc="Request timeout"` come first, and `sock=backend` or `sock=client` before those
    for H18 and H27. Steps that were not reached are empty (`dyno= connect= service= bytes=`).
    Source: https://devcenter.heroku.com/articles/error-codes, /articles/http-routing#heroku-router-log-format
    """
    at, description, status = H_CODES.get(request.code, ("info", "", request.status))
    if request.code in _AS_SENT:
        status = request.status
    routed = bool(request.dyno) if request.code in _MAYBE_ROUTED else request.code not in _NOT_ROUTED
    sent = 0 if request.code in _NOT_ANSWERED else request.sent_bytes
    fields = [
        f"sock={_SOCKETS[request.code]}" if request.code in _SOCKETS else "",
        f"at={at}",
        f'code={request.code} desc="{description}{_restriction(request)}"' if description else "",
        f'cause="{_mistake(request)}"' if request.code == "H26" else "",
        f"method={_word(request.method)}",
        f'path="{_quotable(request.path)}"',
        f"host={_word(request.host)}",
        f"request_id={_word(request.request_id)}",
        f'fwd="{_quotable(request.fwd)}"',
        f"dyno={_word(request.dyno) if routed else ''}",
        f"connect={_ms(request.connect_ms) if routed else ''}",
        f"service={_ms(request.service_ms) if routed else ''}",
        f"status={status or ''}",
        f"bytes={sent if routed else ''}",
        f"protocol={_word(request.protocol)}",
    ]
    return " ".join(field for field in fields if field)


def _restriction(request: RequestLine) -> str:
    """What of a response an H25 is about: `: oversized cookie`."""
    return f": {request.detail}" if request.detail else ""


def _mistake(request: RequestLine) -> str:
    """What an H26 blames. A body is read once its dyno is chosen; everything before was the head."""
    if request.status == _EXPECTATION_FAILED:
        return "unsupported expect header value"
    return "bad chunk" if request.dyno else "bad header"


def _ms(value: int) -> str:
    return f"{value}ms" if value >= 0 else ""


def _quotable(text: str) -> str:
    """Text that cannot end the quotes it stands in, nor the line. Nearly every text is one already."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(c if c.isprintable() and c not in '"\\' else "".join(f"%{b:02X}" for b in c.encode()) for c in text)


def _word(text: str) -> str:
    """One word: whoever wrote it cannot add fields to the line."""
    return _quotable(text).replace(" ", "%20")
