"""Who may do what: every route of the API in one table, in an order in which all of them can be called one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PEOPLE = ("owner", "collaborator", "operator", "stranger", "nobody", "bad token", "expired token", "revoked token")
_NO_TOKEN = dict.fromkeys(("nobody", "bad token", "expired token", "revoked token"), 401)

# What each kind of route answers people who are not let through; who is not named is let through.
REFUSALS: dict[str, dict[str, int]] = {
    "public": {},
    "account": _NO_TOKEN,
    "member": {**_NO_TOKEN, "operator": 404, "stranger": 404},
    "owner": {**_NO_TOKEN, "operator": 404, "stranger": 404, "collaborator": 403},
    "operator": {**_NO_TOKEN, "owner": 403, "stranger": 403, "collaborator": 403},
    "ticket": {"nobody": 401},
    "signed": dict.fromkeys(PEOPLE, 404),
}


@dataclass(frozen=True)
class Row:
    """One route: its kind, a path with everything filled in, and what those who may are answered."""

    kind: str
    method: str
    route: str
    path: str
    answer: int
    body: Any = None


def _row(kind: str, method: str, route: str, answer: int, body: Any = None, **named: str) -> Row:
    path = route.replace("{app}", "shared")
    for name, value in named.items():
        path = path.replace("{" + name + "}", value)
    return Row(kind, method, route, path, answer, body)


_NONE = "00000000-0000-4000-8000-000000000000"
FEATURES_KEYS_CLIENTS = (
    _row("public", "GET", "/api/v4/current-status", 200),
    _row("public", "GET", "/buildpacks", 200),
    *(
        _row("public", "GET", "/buildpacks/{namespace}/{name}" + part, 200, namespace="heroku", name="python")
        for part in ("", "/revisions", "/readme")
    ),
    _row("public", "POST", "/auth", 201, {}),
    _row("public", "GET", "/oauth/authorize", 404),
    _row("public", "POST", "/oauth/authorize", 404),
    _row("public", "POST", "/oauth/token", 400, {}),
    _row("public", "GET", "/auth/browser/{id}", 404, id="junk"),
    _row("public", "POST", "/auth/browser/{id}", 404, id="junk"),
    _row("account", "GET", "/account/features/{feature}", 200, feature="dashboard-repositories-api"),
    _row("account", "PATCH", "/account/features/{feature}", 422, {"enabled": False}, feature="dashboard-repositories-api"),
    _row("account", "GET", "/senryu/two-factor", 200),
    _row("account", "POST", "/senryu/two-factor", 422, {}),
    _row("account", "PATCH", "/senryu/two-factor", 422, {"code": "000000"}),
    _row("account", "DELETE", "/senryu/two-factor", 422),
    _row("account", "POST", "/senryu/two-factor/recovery-codes", 422),
    _row("account", "GET", "/account/keys", 200),
    _row("account", "POST", "/account/keys", 422, {"public_key": "junk"}),
    _row("account", "GET", "/account/keys/{key}", 404, key=_NONE),
    _row("account", "DELETE", "/account/keys/{key}", 404, key=_NONE),
    _row("account", "GET", "/oauth/clients", 200),
    _row("account", "POST", "/oauth/clients", 201, {"name": "x", "redirect_uri": "https://x.example.com/"}),
    _row("account", "GET", "/oauth/clients/{id}", 404, id=_NONE),
    _row("account", "PATCH", "/oauth/clients/{id}", 404, {}, id=_NONE),
    _row("account", "POST", "/oauth/clients/{id}/actions/rotate-credentials", 404, id=_NONE),
    _row("account", "DELETE", "/oauth/clients/{id}", 404, id=_NONE),
    _row("account", "GET", "/oauth/sessions", 200),
    _row("account", "DELETE", "/oauth/sessions/{id}", 404, id=_NONE),
    _row("account", "POST", "/filters/apps", 200, {"in": {"id": [_NONE]}}),
    _row("member", "GET", "/apps/{app}/features", 200),
    _row("member", "GET", "/apps/{app}/features/{feature}", 200, feature="preboot"),
    _row("member", "PATCH", "/apps/{app}/features/{feature}", 200, {"enabled": True}, feature="preboot"),
)
CERTIFICATES = (
    _row("member", "GET", "/apps/{app}/sni-endpoints", 200),
    _row("member", "POST", "/apps/{app}/sni-endpoints", 422, {}),
    *(_row("member", method, "/apps/{app}/sni-endpoints/{name}", 404, {}, name="x") for method in ("GET", "PATCH", "DELETE")),
    *(_row("member", method, "/apps/{app}/acm", 200, {}) for method in ("POST", "PATCH", "DELETE")),
    _row("member", "PATCH", "/apps/{app}/domains/{hostname}", 422, {}, hostname="shared.localhost"),
    _row("public", "GET", "/.well-known/acme-challenge/{token}", 404, token="x"),
)
NOT_HERE_YET = (
    *(_row("member", "GET", "/apps/{app}/" + kind, 200) for kind in "addons addon-attachments telemetry-drains".split()),
    *(_row("member", "GET", "/apps/{app}/" + kind, 404) for kind in "pipeline-couplings review-app".split()),
    *(_row("member", "POST", "/apps/{app}/" + kind, 422, {}) for kind in ("addons",)),
    *(_row("member", method, "/apps/{app}/addons/{addon}", 404, {}, addon="x") for method in ("GET", "PATCH", "DELETE")),
    _row("member", "GET", "/apps/{app}/addon-attachments/{addon}", 404, addon="x"),
    _row("member", "GET", "/apps/{app}/usage", 200),
    _row("member", "GET", "/client/v11/apps/{app}/transfers", 200),
    *(_row("member", method, "/client/v11/apps/{app}/transfers/{transfer}", 404, transfer="b001") for method in ("GET", "DELETE")),
    *(
        _row("member", "POST", "/client/v11/apps/{app}/transfers/{transfer}/actions/" + action, 404, {}, transfer="1")
        for action in ("cancel", "public-url")
    ),
    *(
        _row("account", "POST", "/client/v11/databases/{database}/" + kind, 404, {}, database="x")
        for kind in ("backups", "restores", "transfers")
    ),
    *(_row("account", method, "/client/v11/databases/{database}/transfer-schedules", 404, {}, database="x") for method in ("GET", "POST")),
    _row("account", "DELETE", "/client/v11/databases/{database}/transfer-schedules/{schedule}", 404, database="x", schedule=_NONE),
    _row("signed", "GET", "/senryu/backups/{token}/{name}", 404, token="x", name="b001.dump"),
    _row("account", "POST", "/addon-attachments", 422, {}),
    *(_row("account", "GET", "/addons/{addon}" + part, 404, addon="x") for part in ("", "/addon-attachments")),
    *(_row("account", method, "/addon-attachments/{addon}", 404, addon="x") for method in ("GET", "DELETE")),
    *(
        _row("account", "GET", "/client/v11/databases/{database}" + part, 404, database="x")
        for part in ("", "/wait_status", "/upgrade/wait_status", "/metrics", "/burst_status", "/links")
    ),
    *(
        _row("account", "PUT", f"/client/v11/databases/{{database}}/{part}", 404, {}, database="x")
        for part in ("reset", "stats_reset", "unfollow")
    ),
    *(
        _row("account", "POST", f"/client/v11/databases/{{database}}/{part}", 404, {}, database="x")
        for part in ("connection_reset", "wires")
    ),
    _row("account", "POST", "/client/v11/databases/{database}/upgrade/{action}", 404, {}, database="x", action="run"),
    *(_row("account", "GET", f"/postgres/v0/databases/{{database}}/{part}", 404, database="x") for part in ("credentials", "config")),
    *(
        _row("account", method, "/postgres/v0/databases/{database}/credentials/{name}", 404, {}, database="x", name="default")
        for method in ("GET", "DELETE")
    ),
    _row("account", "POST", "/postgres/v0/databases/{database}/credentials", 404, {"name": "one"}, database="x"),
    _row("account", "POST", "/postgres/v0/databases/{database}/credentials/{name}/credentials_rotation", 404, {}, database="x", name="one"),
    *(
        _row("account", "POST", f"/postgres/v0/databases/{{database}}/{part}", 404, {}, database="x")
        for part in ("credentials_rotation", "repair-default")
    ),
    _row("account", "PATCH", "/postgres/v0/databases/{database}/config", 404, {}, database="x"),
    _row("account", "GET", "/addons/{addon}/config/{namespace}", 404, addon="x", namespace="credential:one"),
    _row("account", "POST", "/reports", 422, {}),
    _row("account", "GET", "/reports/{report}", 404, report=_NONE),
    *(_row("account", method, "/addons/{addon}/config", 404, {}, addon="x") for method in ("GET", "PATCH")),
    *(_row("account", "POST", "/addons/{addon}/actions/" + action, 404, {}, addon="x") for action in ("provision", "deprovision")),
    _row("member", "GET", "/apps/{app}/addons/{addon}/sso", 404, addon="x"),
    _row("operator", "GET", "/senryu/partners", 503),
    _row("operator", "GET", "/senryu/objects", 200),
    _row("account", "GET", "/addons/{addon}/objects", 404, addon="x"),
    _row("operator", "POST", "/senryu/partners", 503, {}),
    _row("operator", "DELETE", "/senryu/partners/{name}", 503, name="x"),
    _row("public", "GET", "/senryu/sso/{account}/{token}", 404, account=_NONE, token="x"),
    *(_row("account", "GET", "/redis/v0/databases/{name}" + part, 404, name="x") for part in ("", "/wait", "/config")),
    _row("account", "PATCH", "/redis/v0/databases/{name}/config", 404, {}, name="x"),
    *(
        _row("account", "POST", "/redis/v0/databases/{name}/" + part, 404, {}, name="x")
        for part in ("credentials_rotation", "stats/reset", "upgrade", "wires")
    ),
    *(_row("account", "GET", "/addon-services/{service}" + part, 404, service="x") for part in ("", "/plans")),
    *(_row("account", "POST", f"/actions/{kind}/resolve", 404, {}) for kind in ("addons", "addon-attachments")),
    *(_row("account", "POST", f"/{kind}", 422, {}) for kind in "spaces telemetry-drains".split()),
    *(_row("account", "GET", "/spaces/{space}" + part, 404, space="x", part="nat") for part in ("", "/{part}")),
    *(_row("account", method, "/spaces/{space}", 404, space="x") for method in ("PATCH", "DELETE")),
    *(_row("account", "GET", "/pipelines/{pipeline}" + part, 404, pipeline="x", part="repo") for part in ("", "/{part}")),
    *(
        _row("account", "POST", f"/{kind}", 422, {})
        for kind in "pipelines pipeline-couplings pipeline-promotions review-apps test-runs".split()
    ),
    *(_row("account", method, "/telemetry-drains/{drain}", 404, drain="x") for method in ("GET", "PATCH", "DELETE")),
    _row("account", "GET", "/api/v2", 404),  # the app is the user name of these two
    _row("account", "PUT", "/api/v2/{dyno}", 404, dyno="web.1"),
    _row("ticket", "GET", "/auth/cli/{id}", 404, id="junk"),
)
_MEMBER = {"email": "x@example.com", "role": "member"}
TEAMS = (
    _row("account", "POST", "/teams", 422, {}),
    _row("account", "GET", "/teams/permissions", 200),
    *(_row("account", method, "/teams/{team}", 404, {}, team="xxx") for method in ("GET", "PATCH", "DELETE")),
    *(
        _row("account", "GET", "/teams/{team}/" + part, 404, team="xxx")
        for part in "members features invitations addons usage apps".split()
    ),
    *(_row("account", method, "/teams/{team}/members", 404, _MEMBER, team="xxx") for method in ("PUT", "PATCH")),
    _row("account", "DELETE", "/teams/{team}/members/{email}", 404, team="xxx", email="x@example.com"),
    _row("account", "GET", "/teams/{team}/features/{feature}", 404, team="xxx", feature="x"),
    _row("account", "PUT", "/teams/{team}/invitations", 404, team="xxx"),
    _row("account", "GET", "/teams/apps", 200),
    _row("account", "POST", "/teams/apps", 201, {}),
    _row("member", "GET", "/teams/apps/{app}", 200),
    _row("owner", "PATCH", "/teams/apps/{app}", 200, {}),
    _row("member", "GET", "/teams/apps/{app}/collaborators", 200),
    _row("member", "GET", "/teams/apps/{app}/collaborators/{email}", 404, email="nobody@example.com"),
    _row("member", "POST", "/teams/apps/{app}/collaborators", 422, {}),
    _row("owner", "PATCH", "/teams/apps/{app}/collaborators/{email}", 422, {"permissions": ["fly"]}, email="nobody@example.com"),
    _row("owner", "DELETE", "/teams/apps/{app}/collaborators/{email}", 404, email="nobody@example.com"),
    _row("account", "GET", "/account/app-transfers", 200),
    _row("account", "POST", "/account/app-transfers", 422, {}),
    *(
        _row("account", method, "/account/app-transfers/{transfer}", 404, {"state": "declined"}, transfer=_NONE)
        for method in ("GET", "PATCH", "DELETE")
    ),
)
_JOB = {"command": "x", "every": "10 minutes"}
SCHEDULER = (
    _row("member", "GET", "/apps/{app}/scheduler/jobs", 200),
    _row("member", "POST", "/apps/{app}/scheduler/jobs", 404, _JOB),
    *(_row("member", method, "/apps/{app}/scheduler/jobs/{job}", 404, {}, job=_NONE) for method in ("GET", "PATCH", "DELETE")),
)
MATRIX = (
    _row("public", "GET", "/senryu/health", 200),
    *(_row("public", "GET", path, 200) for path in ("/openapi.json", "/schema")),
    _row("public", "GET", "/senryu/ca.pem", 404),
    _row("public", "GET", "/senryu/doors", 200),
    _row("public", "POST", "/senryu/registrations", 422, {"email": "x"}),
    _row("account", "GET", "/account", 200),
    _row("account", "GET", "/users/~", 200),
    _row("account", "PATCH", "/account", 200, {"name": "Someone"}),
    _row("account", "GET", "/account/rate-limits", 200),
    _row("account", "GET", "/account/features", 200),
    _row("account", "POST", "/oauth/authorizations", 201, {}),
    _row("account", "GET", "/oauth/authorizations", 200),
    _row("account", "GET", "/oauth/authorizations/~", 404),
    _row("account", "GET", "/oauth/authorizations/{id}", 404, id=_NONE),
    _row("account", "PATCH", "/oauth/authorizations/{id}", 404, {}, id=_NONE),
    _row("account", "POST", "/oauth/authorizations/{id}/actions/regenerate-tokens", 404, id=_NONE),
    _row("account", "DELETE", "/oauth/authorizations/{id}", 404, id=_NONE),
    _row("account", "GET", "/users/{user}/apps", 200, user="~"),
    _row("account", "GET", "/apps", 200),
    _row("account", "POST", "/apps", 201, {}),
    _row("account", "POST", "/sources", 201),
    _row("account", "GET", "/regions", 200),
    _row("account", "GET", "/regions/{region}", 200, region="us"),
    _row("account", "GET", "/dyno-sizes", 200),
    _row("account", "GET", "/dyno-sizes/{size}", 200, size="eco"),
    _row("account", "GET", "/stacks", 200),
    _row("account", "GET", "/stacks/{stack}", 200, stack="host"),
    *(_row("account", "GET", f"/{kind}", 200) for kind in "spaces teams addons addon-attachments addon-services pipelines".split()),
    *FEATURES_KEYS_CLIENTS,
    *CERTIFICATES,
    *SCHEDULER,
    *NOT_HERE_YET,
    *TEAMS,
    _row("operator", "POST", "/senryu/invitations", 201, {"email": "guest@example.com"}),
    _row("operator", "POST", "/senryu/two-factor/resets", 422, {"email": "nobody@example.com"}),
    _row("operator", "PATCH", "/senryu/registration", 200, {"open": False}),
    _row("account", "GET", "/accounts/{account}/actions/get-quota", 200, account="~"),
    _row("account", "GET", "/account/invoices", 200),
    _row("account", "GET", "/account/invoices/{number}", 404, number="197001"),
    _row("account", "GET", "/teams/{team}/invoices", 404, team="no-team"),
    _row("account", "GET", "/teams/{team}/invoices/{number}", 404, team="no-team", number="202611"),
    _row("account", "GET", "/senryu/statements/{month}", 200, month="now"),
    _row("operator", "GET", "/senryu/data-usage", 200),
    _row("operator", "PATCH", "/senryu/accounts/{email}", 404, {"verified": True}, email="nobody@example.com"),
    _row("operator", "PATCH", "/senryu/dyno-sizes/{size}", 200, {"price_cents": 900}, size="basic"),
    _row("operator", "PUT", "/senryu/dyno-sizes/{size}/allowed", 200, {"allowed": None}, size="basic"),
    _row("operator", "PUT", "/senryu/default-dyno-size", 200, {"size": "standard-1x"}),
    _row("operator", "POST", "/senryu/stacks", 201, {"name": "other", "source": "/srv/other"}),
    _row("member", "GET", "/apps/{app}", 200),
    _row("member", "PATCH", "/apps/{app}", 200, {"maintenance": False}),
    _row("member", "GET", "/apps/{app}/builds", 200),
    _row("member", "GET", "/apps/{app}/builds/{id}", 404, id=_NONE),
    _row("member", "POST", "/apps/{app}/builds", 422, {}),
    _row("member", "DELETE", "/apps/{app}/builds/{id}", 404, id=_NONE),
    _row("member", "DELETE", "/apps/{app}/build-cache", 200),
    _row("member", "POST", "/apps/{app}/sources", 201),
    _row("member", "GET", "/apps/{app}/slugs/{id}", 404, id=_NONE),
    _row("member", "POST", "/apps/{app}/slugs", 201, {"process_types": {"web": "x"}}),
    _row("member", "GET", "/apps/{app}/releases", 200),
    _row("member", "GET", "/apps/{app}/releases/{release}", 200, release="2"),
    _row("member", "POST", "/apps/{app}/releases", 201, {"release": "v2"}),
    _row("member", "GET", "/apps/{app}/config-vars", 200),
    _row("member", "PATCH", "/apps/{app}/config-vars", 200, {"KEY": "value"}),
    _row("member", "GET", "/apps/{app}/releases/{release}/config-vars", 200, release="2"),
    _row("member", "GET", "/apps/{app}/formation", 200),
    _row("member", "GET", "/apps/{app}/formation/{type}", 200, type="web"),
    _row("member", "PATCH", "/apps/{app}/formation", 200, {"updates": [{"type": "web", "quantity": 1}]}),
    _row("member", "PATCH", "/apps/{app}/formation/{type}", 200, {"quantity": 1}, type="web"),
    _row("member", "GET", "/apps/{app}/dynos", 200),
    _row("member", "GET", "/apps/{app}/dynos/{dyno}", 200, dyno="web.1"),
    _row("member", "POST", "/apps/{app}/dynos", 201, {"command": "bash"}),
    _row("member", "POST", "/apps/{app}/dynos/{dyno}", 404, {"command": "bash"}, dyno="web.9"),
    _row("member", "POST", "/apps/{app}/dynos/{dyno}/actions/resize", 404, {}, dyno="web.1"),
    _row("member", "DELETE", "/apps/{app}/dynos", 202),
    _row("member", "DELETE", "/apps/{app}/dynos/{dyno}", 202, dyno="web.1"),
    _row("member", "DELETE", "/apps/{app}/formations/{dyno}", 202, dyno="web"),
    _row("member", "POST", "/apps/{app}/formations/{dyno}/actions/stop", 202, dyno="web"),
    _row("member", "POST", "/apps/{app}/dynos/{dyno}/actions/stop", 202, dyno="web.1"),
    _row("member", "POST", "/apps/{app}/log-sessions", 201, {}),
    _row("member", "GET", "/apps/{app}/log-drains", 200),
    _row("member", "POST", "/apps/{app}/log-drains", 201, {"url": "https://logs.example.com/in"}),
    _row("member", "GET", "/apps/{app}/log-drains/{drain:path}", 200, **{"drain:path": "https%3A%2F%2Flogs.example.com%2Fin"}),
    _row("member", "DELETE", "/apps/{app}/log-drains/{drain:path}", 200, **{"drain:path": "https%3A%2F%2Flogs.example.com%2Fin"}),
    _row("member", "GET", "/apps/{app}/webhooks", 200),
    _row("member", "POST", "/apps/{app}/webhooks", 422, {"url": "https://x.example.com/", "include": ["x"], "level": "sync"}),
    *(_row("member", method, "/apps/{app}/webhooks/{webhook}", 404, {}, webhook=_NONE) for method in ("GET", "PATCH", "DELETE")),
    *(_row("member", "GET", "/apps/{app}/webhook-" + kind, 200) for kind in ("deliveries", "events")),
    _row("member", "GET", "/apps/{app}/webhook-deliveries/{delivery}", 404, delivery=_NONE),
    _row("member", "GET", "/apps/{app}/webhook-events/{event}", 404, event=_NONE),
    _row("member", "GET", "/apps/{app}/domains", 200),
    _row("member", "GET", "/apps/{app}/domains/{hostname}", 200, hostname="shared.localhost"),
    _row("member", "POST", "/apps/{app}/domains", 201, {"hostname": "www.example.org"}),
    _row("member", "DELETE", "/apps/{app}/domains/{hostname}", 200, hostname="www.example.org"),
    _row("member", "GET", "/apps/{app}/buildpack-installations", 200),
    _row("member", "PUT", "/apps/{app}/buildpack-installations", 200, {"updates": [{"buildpack": "heroku/python"}]}),
    _row("member", "GET", "/apps/{app}/collaborators", 200),
    _row("member", "GET", "/apps/{app}/collaborators/{email}", 200, email="owner@example.com"),
    _row("signed", "PUT", "/senryu/sources/{token}", 200, token="junk"),
    _row("signed", "PUT", "/senryu/slugs/{token}", 200, token=f"junk?app={_NONE}"),
    _row("signed", "GET", "/senryu/slugs/{token}", 200, token=f"junk?app={_NONE}"),
    _row("signed", "GET", "/senryu/streams/{token}", 200, token="junk"),
    _row("signed", "GET", "/senryu/logs/{token}", 200, token="junk"),
    _row("owner", "POST", "/apps/{app}/collaborators", 201, {"user": "stranger@example.com"}),
    _row("owner", "DELETE", "/apps/{app}/collaborators/{email}", 200, email="stranger@example.com"),
    _row("owner", "PATCH", "/apps/{app}", 200, {"name": "shared"}),
    _row("owner", "DELETE", "/apps/{app}", 200),
    _row("account", "DELETE", "/oauth/sessions/~", 200),
)
