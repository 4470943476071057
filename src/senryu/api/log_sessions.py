"""`log-session`, and the stream behind `logplex_url`.

Source: wire contract 6.1
"""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..core import limits
from ..streamed import Streamed
from .auth import AppDep, PlatformDep
from .body import flag, json_body, number, text
from .links import origin
from .log_stream import LogSession, opened, signed, sse
from .routing import Router

router = Router()


@router.post("/apps/{app}/log-sessions")
async def create(request: Request, app: AppDep, platform: PlatformDep) -> JSONResponse:
    """Create: `lines`, `dyno` (a name or a type), `source`, `tail`."""
    body = await json_body(request)
    now = platform.clock.now()
    is_tail = bool(flag(body, "tail"))
    lasts_s = 24 * 3600.0 if is_tail else limits.LOG_SESSION_S
    session = LogSession(
        app_id=app.id,
        expires_at=now + timedelta(seconds=lasts_s),
        lines=100 if (lines := number(body, "lines", least=0, most=1_000_000)) is None else lines,
        is_tail=is_tail,
        source=text(body, "source", most=63) or None,
        dyno=text(body, "dyno", most=80) or text(body, "dyno_name", most=80) or text(body, "type", most=80) or None,
    )
    url = f"{origin(platform)}/senryu/logs/{signed(session, platform.signing_key)}"
    iso = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return JSONResponse({"created_at": iso, "id": str(app.id), "logplex_url": url, "updated_at": iso}, 201)


@router.get("/senryu/logs/{token}")
async def stream(token: str, request: Request, platform: PlatformDep) -> Streamed:
    """The lines as Server-Sent Events. The URL is its own permission."""
    session = opened(token, platform.signing_key, platform.clock.now())
    events = sse(platform.log_reader, session, request.headers.get("last-event-id"))
    return Streamed(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
