"""What `heroku status` asks: whether apps and tools work, from the platform's own parts.

Source: wire contract 5.12
"""

from __future__ import annotations

from starlette.responses import JSONResponse

from ..core.errors import PlatformError
from .auth import PlatformDep
from .routing import Router

router = Router()


@router.get("/api/v4/current-status")
async def current(platform: PlatformDep) -> JSONResponse:
    """Green or red for each system: apps by engine and router, tools by the database. Data services are counted with the tools."""
    apps = tools = "green"
    try:
        await platform.engine.dynos()
        await platform.router.routes()
    except (PlatformError, OSError, TimeoutError):
        apps = "red"
    async with platform.db.reading():
        pass
    systems = [{"system": name, "status": state} for name, state in (("Apps", apps), ("Data", tools), ("Tools", tools))]
    return JSONResponse({"status": systems, "incidents": [], "scheduled": []})
