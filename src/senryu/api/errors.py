"""From errors to answers: the only table of statuses.

Source: https://devcenter.heroku.com/articles/platform-api-reference#errors
"""

from __future__ import annotations

from typing import cast

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ExceptionHandler

from ..core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PlatformError,
    RateLimited,
    Unauthorized,
    Unavailable,
)

STATUSES: dict[type[PlatformError], int] = {
    BadRequest: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    RateLimited: 429,
    Unavailable: 503,
}
_BY_STATUS = {
    404: ("not_found", "The requested API endpoint was not found."),
    405: ("method_not_allowed", "This method is not allowed here."),
}
_log = structlog.get_logger("api")


def status_of(problem: PlatformError) -> int:
    """The status for an error, that of its nearest kind."""
    return next((status for kind, status in STATUSES.items() if isinstance(problem, kind)), 500)


def answer_to(problem: PlatformError) -> JSONResponse:
    """The error's body in Heroku's form: `id`, `message`, and `url` or `app` where there is one."""
    body: dict[str, object] = {"id": problem.id, "message": problem.message}
    if problem.url:
        body["url"] = problem.url
    if problem.app:
        body["app"] = {"name": problem.app}
    status = status_of(problem)
    return JSONResponse(body, status, _headers(problem, status))


def _headers(problem: PlatformError, status: int) -> dict[str, str] | None:
    if status == 401:
        return {"WWW-Authenticate": 'Basic realm="Senryu"'}
    return {"Retry-After": str(problem.retry_after_s or 5)} if status in (429, 503) else None


async def _told(_: Request, problem: Exception) -> JSONResponse:
    return answer_to(cast(PlatformError, problem))


async def _refused(_: Request, problem: Exception) -> JSONResponse:
    refusal = cast(HTTPException, problem)
    id, message = _BY_STATUS.get(refusal.status_code, ("bad_request", str(refusal.detail)))
    return JSONResponse({"id": id, "message": message}, refusal.status_code, refusal.headers)


async def _surprised(request: Request, problem: Exception) -> JSONResponse:
    request_id = getattr(request.state, "request_id", "")
    _log.error("bug", path=request.url.path, request_id=request_id, exc_info=problem)
    message = f"The platform failed. Tell its operator this request id: {request_id}"
    # This answer is made outside of what adds the header to all others.
    return JSONResponse({"id": "internal_server_error", "message": message}, 500, {"Request-Id": request_id})


# Every failure is answered in this form, surprises included (bland for the user, in full for the operator).
HANDLERS: dict[type[Exception], ExceptionHandler] = {PlatformError: _told, HTTPException: _refused, Exception: _surprised}
