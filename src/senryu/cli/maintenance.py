"""maintenance, maintenance:on, maintenance:off.

Source: https://devcenter.heroku.com/articles/maintenance-mode
"""

from __future__ import annotations

from senryu.cli.arguments import AN_APP, Command, Typed
from senryu.cli.output import Progress, hexagon, say
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def _show(typed: Typed) -> None:
    with PlatformApi() as api:
        say("on" if api.get(path_of("apps", app_for(typed)))["maintenance"] else "off")


def _on(typed: Typed) -> None:
    _switch(typed, True)


def _off(typed: Typed) -> None:
    _switch(typed, False)


def _switch(typed: Typed, on: bool) -> None:
    app = app_for(typed)
    with PlatformApi() as api, Progress(f"{'Enabling' if on else 'Disabling'} maintenance mode for {hexagon(app)}"):
        api.patch(path_of("apps", app), {"maintenance": on})


TOPIC = {
    "maintenance": Command(_show, "", AN_APP),
    "maintenance:on": Command(_on, "", AN_APP),
    "maintenance:off": Command(_off, "", AN_APP),
}
