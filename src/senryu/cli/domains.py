"""domains, domains:add, domains:update, domains:info, domains:remove, domains:clear.

Source: https://devcenter.heroku.com/articles/custom-domains
"""

from __future__ import annotations

import sys
from typing import Any

from senryu.cli.arguments import AN_APP, CONFIRM, JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, confirm, heading, hexagon, note, pairs, say, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for


def record_type(hostname: str) -> str:
    """The DNS record that a domain needs: a name directly under a suffix takes no CNAME."""
    return "ALIAS or ANAME" if hostname.count(".") <= 1 else "CNAME"


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = api.pages(path_of("apps", app, "domains"))
    if typed.on("json"):
        return as_json(found)
    own = [domain["hostname"] for domain in found if domain["kind"] == "heroku"]
    custom = sorted((domain for domain in found if domain["kind"] == "custom"), key=lambda domain: str(domain["hostname"]))
    heading(f"{hexagon(app, sys.stdout)} Senryu Domain")
    for hostname in own:
        say(hostname)
    if custom:
        say()
        heading(f"{hexagon(app, sys.stdout)} Custom Domains")
        rows = ((d["hostname"], record_type(d["hostname"]), d.get("cname"), _endpoint(d)) for d in custom)
        table(rows, ("Domain Name", "DNS Record Type", "DNS Target", "SNI Endpoint"))
    return None


def _endpoint(domain: dict[str, Any]) -> str:
    return str((domain.get("sni_endpoint") or {}).get("name", "undefined"))


def _add(typed: Typed) -> None:
    app, hostname = app_for(typed), typed.first()
    with PlatformApi() as api, Progress(f"Adding {hostname} to {hexagon(app)}"):
        domain = api.post(path_of("apps", app, "domains"), _wanted(typed))
    target = domain.get("cname")
    if target:
        note(f"Configure your app's DNS provider to point to the DNS Target {target}.")
    if domain.get("status") == "pending":
        note(f"The domain {hostname} has been enqueued for addition; `senryu domains:info {hostname}` shows its status")


def _wanted(typed: Typed) -> dict[str, Any]:
    """Without `--cert` the platform picks the app's only certificate that is for the domain."""
    return {"hostname": typed.first(), **({"sni_endpoint": typed.text("cert")} if typed.text("cert") else {})}


def _update(typed: Typed) -> None:
    app, hostname, cert = app_for(typed), typed.first(), typed.text("cert")
    if not cert:
        raise Failure("`senryu domains:update` needs `--cert NAME`", hint="`senryu certs` lists the names; `--cert none` takes it away")
    with PlatformApi() as api, Progress(f"Updating {hostname} to use the certificate {cert}"):
        api.patch(path_of("apps", app, "domains", hostname), {"sni_endpoint": None if cert == "none" else cert})


def _info(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        domain = api.get(path_of("apps", app, "domains", typed.first()))
    if typed.on("json"):
        return as_json(domain)
    return pairs({
        "acm_status": domain.get("acm_status"),
        "acm_status_reason": domain.get("acm_status_reason"),
        "app": app,
        "cname": domain.get("cname"),
        "created_at": domain.get("created_at"),
        "hostname": domain["hostname"],
        "kind": domain["kind"],
        "sni_endpoint": (domain.get("sni_endpoint") or {}).get("name"),
        "status": domain.get("status"),
        "updated_at": domain.get("updated_at"),
    })  # fmt: skip


def _remove(typed: Typed) -> None:
    app, hostname = app_for(typed), typed.first()
    with PlatformApi() as api, Progress(f"Removing {hostname} from {hexagon(app)}"):
        api.delete(path_of("apps", app, "domains", hostname))


def _clear(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        custom = [d["hostname"] for d in api.pages(path_of("apps", app, "domains")) if d["kind"] == "custom"]
        if not custom:
            return note(f"{hexagon(app)} has no custom domains")
        if typed.text("confirm") is not None:
            confirm(app, typed.text("confirm"), "")
        with Progress(f"Removing all domains from {hexagon(app)}"):
            for hostname in custom:
                api.delete(path_of("apps", app, "domains", hostname))
    return None


_CERT = Flag("cert", "c", "NAME", "the certificate it is answered with")
TOPIC = {
    "domains": Command(_index, "", (*AN_APP, JSON)),
    "domains:add": Command(_add, "HOSTNAME", (*AN_APP, _CERT), least=1, most=1, examples=("domains:add www.example.com",)),
    "domains:update": Command(
        _update, "HOSTNAME", (*AN_APP, _CERT), least=1, most=1, examples=("domains:update www.example.com --cert tidy-wren-12345",)
    ),
    "domains:info": Command(_info, "HOSTNAME", (*AN_APP, JSON), least=1, most=1, examples=("domains:info www.example.com",)),
    "domains:remove": Command(_remove, "HOSTNAME", AN_APP, least=1, most=1, examples=("domains:remove www.example.com",)),
    "domains:clear": Command(_clear, "", (*AN_APP, CONFIRM)),
}
