"""Every command of the official client, and what becomes of it here. The manual has this table; the suite runs what it says.

`python tests/compat/table.py` writes the manual's table anew; a test compares.
"""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/heroku-cli.md"
BEGIN, END = "<!-- generated: heroku-commands -->", "<!-- end -->"
VERSION = "11.10.0"

# Run by the suite: exit status, output and effect.
WORKS = frozenset(
    """
    access access:add access:remove access:update addons addons:attach addons:create addons:destroy addons:detach addons:docs
    addons:info addons:open addons:plans addons:rename addons:services addons:upgrade addons:wait apps apps:create
    apps:destroy apps:diff apps:info apps:join apps:leave apps:lock apps:open apps:rename apps:stacks apps:stacks:set
    apps:transfer apps:unlock auth:2fa auth:login auth:logout auth:token auth:whoami authorizations authorizations:create
    authorizations:info authorizations:revoke authorizations:rotate authorizations:update autocomplete buildpacks
    buildpacks:add buildpacks:clear buildpacks:info buildpacks:remove buildpacks:search buildpacks:set buildpacks:versions
    certs certs:add certs:auto certs:auto:disable certs:auto:enable certs:auto:refresh certs:generate certs:info
    certs:remove certs:update clients clients:create clients:destroy clients:info clients:rotate clients:update config
    config:edit config:get config:set config:unset domains domains:add domains:clear domains:info domains:remove
    domains:update domains:wait drains drains:add drains:remove features features:disable features:enable features:info
    git:clone git:credentials git:remote keys keys:add keys:clear keys:remove labs labs:disable labs:enable labs:info
    local local:run local:version logs maintenance maintenance:off maintenance:on members members:add members:remove
    members:set orgs pg:backups pg:backups:cancel pg:backups:capture pg:backups:delete pg:backups:download pg:backups:info
    pg:backups:restore pg:backups:schedule pg:backups:schedules pg:backups:unschedule pg:backups:url pg:bloat pg:blocking
    pg:cache-hit pg:calls pg:copy pg:credentials pg:credentials:create pg:credentials:destroy
    pg:credentials:repair-default pg:credentials:rotate pg:credentials:url pg:diagnose pg:extensions pg:index-size
    pg:index-usage pg:info pg:kill pg:killall pg:links pg:locks pg:long-running-queries pg:outliers pg:promote pg:ps
    pg:psql pg:pull pg:push pg:records-rank pg:reset pg:seq-scans pg:settings pg:settings:track-functions pg:stats-reset
    pg:table-indexes-size pg:table-size pg:total-index-size pg:total-table-size pg:unfollow pg:unused-indexes
    pg:upgrade:wait pg:user-connections pg:vacuum-stats pg:wait pipelines ps ps:restart ps:scale ps:stop ps:type ps:wait redis:cli
    redis:credentials redis:info redis:keyspace-notifications redis:maxmemory redis:promote redis:stats-reset
    redis:timeout redis:upgrade redis:wait regions releases releases:info releases:output releases:retry releases:rollback
    run run:detached run:inside sessions sessions:destroy status teams telemetry usage:addons version:info webhooks
    webhooks:add webhooks:deliveries webhooks:deliveries:info webhooks:events webhooks:events:info webhooks:info
    webhooks:remove webhooks:update
    """.split()
)

# Run by the suite: a sentence that says no, exit status above 0, no crash of the client.
_NO_PIPELINES = "no pipelines yet"
_ONE_SERVER = "one server and one log for all databases"
_NO_CONTAINERS = "no container registry"
REFUSED = {
    **dict.fromkeys("pipelines:add pipelines:create pipelines:destroy pipelines:info".split(), _NO_PIPELINES),
    **dict.fromkeys("pipelines:promote pipelines:remove pipelines:rename pipelines:update".split(), _NO_PIPELINES),
    **dict.fromkeys("ci ci:config ci:config:get ci:config:set ci:config:unset ci:info ci:last".split(), _NO_PIPELINES),
    **dict.fromkeys("reviewapps:create reviewapps:disable reviewapps:enable reviewapps:wait".split(), _NO_PIPELINES),
    **dict.fromkeys("pg:settings:log-statement pg:upgrade:run".split(), _ONE_SERVER),
    **dict.fromkeys("container:pull container:push container:release container:rm".split(), _NO_CONTAINERS),
    "ps:exec": "its SSH goes to port 80 of a host; `ps:exec --status` works; use `run:inside` or `senryu ps:exec`",
    **dict.fromkeys("spaces spaces:create spaces:destroy spaces:info spaces:wait".split(), "no private spaces"),
    **dict.fromkeys("telemetry:add telemetry:info telemetry:remove telemetry:update".split(), "no OpenTelemetry drains; log drains"),
}

# Not run. A name that ends in `*` stands for all that begin so and are in no other list.
_FIXED_HOST = "asks a host of Heroku that cannot be configured"
UNSUPPORTED = {
    "accounts*": "keeps logins of several accounts under Heroku's own host names",
    "apps:errors": _FIXED_HOST,
    "apps:favorites*": _FIXED_HOST,
    "auth:2fa:disable": "the client only says where Heroku does it; use `senryu 2fa:disable`",
    "autocomplete:*": "parts of `autocomplete`, on your machine only",
    "ci:*": _NO_PIPELINES,
    "console": "`run console`; not tried",
    "container:*": _NO_CONTAINERS,
    "dashboard": _FIXED_HOST,
    "data:*": "advanced database plans and maintenance windows",
    "mcp:start": "other commands under another name; not tried",
    "notifications": _FIXED_HOST,
    "orgs:open": "opens Heroku's pages",
    "pg:connection-pooling:*": "no pooler; a plan's connections are what there is",
    "pg:fdwsql": "databases do not reach one another",
    "pg:links:*": "databases do not reach one another",
    "pg:mandelbrot": "draws a picture; not tried",
    "pg:settings:*": _ONE_SERVER,
    "pg:upgrade:*": "as `pg:upgrade:run`",
    "pipelines:*": _NO_PIPELINES,
    "ps:autoscale:*": _FIXED_HOST,
    "ps:copy": "as `ps:exec`",
    "ps:forward": "as `ps:exec`",
    "ps:socks": "as `ps:exec`",
    "rake": "`run rake`; not tried",
    "repl": "other commands under another name; not tried",
    "spaces:*": "no private spaces",
}


def fate(command: str) -> tuple[str, str]:
    """What becomes of a command: `works`, `says no` or `not supported`, and why. Raises KeyError for one in no list."""
    if command in WORKS:
        return "works", ""
    if command in REFUSED:
        return "says no", REFUSED[command]
    for pattern, why in UNSUPPORTED.items():
        if command == pattern or (pattern.endswith("*") and command.startswith(pattern[:-1])):
            return "not supported", why
    raise KeyError(command)


def rows() -> list[tuple[str, str, str]]:
    """Command (or pattern), fate, why; by command."""
    named = [(name, *fate(name)) for name in (*WORKS, *REFUSED)]
    return sorted([*named, *((pattern, "not supported", why) for pattern, why in UNSUPPORTED.items())])


def markdown() -> str:
    """The manual's table."""
    lines = ["| command | here | why |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {what} | {why} |" for name, what, why in rows())])


def written() -> str:
    """The page with its table as it should be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n\n{markdown()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written())
