"""certs:auto, certs:auto:enable, certs:auto:disable, certs:auto:refresh.

Source: https://devcenter.heroku.com/articles/automated-certificate-management
"""

from __future__ import annotations

import sys
import time
from typing import Any

from senryu.cli.arguments import AN_APP, CONFIRM, Command, Flag, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import Progress, ago, confirm, heading, hexagon, note, say, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

_WAIT = Flag("wait", "", "", "wait until every domain has its certificate or has failed")
_LOOK_EVERY_S = 2.0
_WAIT_S = 30 * 60.0
_SHOWN = {None: "Waiting", "cert issued": "OK", "in-progress": "In Progress"}


def _custom(api: PlatformApi, app: str) -> list[dict[str, Any]]:
    return [dict(each) for each in api.pages(path_of("apps", app, "domains")) if each["kind"] == "custom"]


def _is_settled(domain: dict[str, Any]) -> bool:
    return domain["acm_status"] in ("cert issued", "failed") or (domain["acm_status"] is None and domain["sni_endpoint"] is not None)


def _await(api: PlatformApi, app: str) -> None:
    """Until nothing is under way. Raises `Failure` when a domain failed, or after half an hour."""
    until = time.monotonic() + _WAIT_S
    with Progress("Waiting until the certificate is issued to all domains"):
        while True:
            found = _custom(api, app)
            if all(_is_settled(each) for each in found):
                break
            if time.monotonic() > until:
                raise Failure(f"Some domains of {app} have no certificate yet", hint="`senryu certs:auto` says why", status=API)
            time.sleep(_LOOK_EVERY_S)
        failed = [each["hostname"] for each in found if each["acm_status"] == "failed"]
        if failed:
            raise Failure(f"No certificate for {', '.join(failed)}", hint="`senryu certs:auto` says why", status=API)


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        is_on = api.get(path_of("apps", app))["acm"]
        heading(f"Automatic Certificate Management is {'enabled' if is_on else 'disabled'} on {hexagon(app, sys.stdout)}")
        if not is_on:
            return None
        if typed.on("wait"):
            _await(api, app)
        found = _custom(api, app)
        expiry = {each["name"]: each["ssl_cert"]["expires_at"] for each in api.pages(path_of("apps", app, "sni-endpoints"))}
    if not found:
        return say("Add a domain: `senryu domains:add HOSTNAME`")
    table((_row(each, expiry) for each in found), ("Domain", "Status", "Expires", "Last Updated", "Reason"))
    if any(each["acm_status"] in ("failed", "failing") for each in found):
        say()
        say("A domain's DNS must lead here (`senryu domains` shows where). It is tried again by itself;")
        say("`senryu certs:auto:refresh` does it now.")
    return None


def _row(domain: dict[str, Any], expiry: dict[str, str]) -> tuple[str, ...]:
    status = domain["acm_status"]
    own = (domain["sni_endpoint"] or {}).get("name", "")
    shown = f"Own ({own})" if status is None and own else _SHOWN.get(status) or str(status).capitalize()
    return domain["hostname"], shown, expiry.get(own, ""), ago(domain["updated_at"]), domain["acm_status_reason"] or ""


def _enable(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        with Progress("Enabling Automatic Certificate Management"):
            api.post(path_of("apps", app, "acm"), {})
        if typed.on("wait"):
            return _await(api, app)
    return note("Certificates are fetched now; `senryu certs:auto` shows how far it is")


def _disable(typed: Typed) -> None:
    app = app_for(typed)
    confirm(app, typed.text("confirm"), f"This removes the automatic certificates of {app}; its domains will not be trusted over TLS.")
    with PlatformApi() as api, Progress("Disabling Automatic Certificate Management"):
        api.delete(path_of("apps", app, "acm"))


def _refresh(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api, Progress("Refreshing Automatic Certificate Management"):
        api.patch(path_of("apps", app, "acm"), {"acm_refresh": True})


TOPIC = {
    "certs:auto": Command(_index, "", (*AN_APP, _WAIT)),
    "certs:auto:enable": Command(_enable, "", (*AN_APP, _WAIT)),
    "certs:auto:disable": Command(_disable, "", (*AN_APP, CONFIRM)),
    "certs:auto:refresh": Command(_refresh, "", AN_APP),
}
