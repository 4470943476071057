"""What `heroku ps:exec` asks of Heroku's exec service. Only the status is answered: its SSH goes to a fixed port 80.

Source: wire contract 6.4
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..actions.access import app_for
from ..actions.authenticate import authenticate
from ..core.app import App
from ..core.dyno import DynoState
from ..core.errors import Forbidden, Invalid
from ..core.permission import Permission
from ..platform import Platform
from ..store.dynos import list_dynos
from .auth import PlatformDep, credentials, permits
from .routing import Router

router = Router()


async def _app_of(request: Request, platform: Platform) -> App:
    """The app is the user name of these calls. Raises: Unauthorized, NotFound, Forbidden."""
    name, token = credentials(request.headers.get("authorization", ""))
    account, authorization = await authenticate(token, db=platform.db, clock=platform.clock)
    if not permits(authorization.scope, "POST", f"/apps/{name}/dynos"):
        raise Forbidden("This token's scope does not allow running commands.")
    async with platform.db.reading() as tx:
        return await app_for(tx, account, name, needs=Permission.OPERATE)


@router.get("/api/v2")
async def status(request: Request, platform: PlatformDep) -> JSONResponse:
    """The dynos in which commands can be run."""
    app = await _app_of(request, platform)
    async with platform.db.reading() as tx:
        dynos = await list_dynos(tx, app.id)
    return JSONResponse([{"dyno_name": dyno.name} for dyno in dynos if dyno.state is DynoState.UP])


@router.put("/api/v2/{dyno}")
async def connect(dyno: str, request: Request, platform: PlatformDep) -> JSONResponse:
    """Refuses: this client's SSH cannot be led to us; ours and `run:inside` can."""
    app = await _app_of(request, platform)
    raise Invalid(f"Use `senryu ps:exec -a {app.name} -d {dyno[:60]}` or `heroku run:inside {dyno[:60]} bash`.", app=app.name)
