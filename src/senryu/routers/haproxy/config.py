"""The text HAProxy starts from, as a pure function of the settings and the routes.

Everything that changes while the platform runs is changed through the runtime API; the same text with the changed
routes is then written, so that a restart begins where the last run was.
Source: https://docs.haproxy.org/2.6/configuration.html; behaviour: Dev Center, http-routing and error-codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from senryu.core import limits
from senryu.routers.haproxy import objects, pages
from senryu.routers.haproxy.inside import answer_environment, app_defaults, first_byte
from senryu.routers.haproxy.lines import HTML, ms, quoted
from senryu.routers.haproxy.outside import ADDED_HEADERS, frontend
from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.haproxy.slots import Server, slot_names

STAMP_VARIABLE = "SENRYU_STAMP"
_POOL = "pool-max-conn 100 pool-purge-delay 500ms sni var(txn.fresh)"  # without a delay, 2.6 keeps none of a server added at run time
_BUFFER_BYTES = 32 * limits.KIB  # holds the whole header block of a request


def config_stamp(settings: RouterSettings, script: str) -> str:
    """A short name for all that HAProxy reads at its start only: the configuration without slots and dynos, and the Lua script."""
    return sha256((config_text(settings, 1, {}, "") + script).encode()).hexdigest()[:16]


def config_text(settings: RouterSettings, slots: int, servers: Mapping[str, Sequence[Server]], stamp: str = "none") -> str:
    """The whole configuration, with room for `slots` apps; `servers` by slot are the dynos known now."""
    parts = [
        _global(settings, stamp),
        _defaults(settings),
        frontend(settings),
        _platform(settings),
        objects.backend(settings),
        app_defaults(settings),
        *(_slot(name, servers.get(name, ()), settings) for name in slot_names(slots)),
    ]
    return "\n".join(parts)


def _global(settings: RouterSettings, stamp: str) -> str:
    return f"""# Written by senryu; changes made here by hand are lost.
global
  stats socket {settings.socket} mode 660 level admin expose-fd listeners
  stats timeout 1h
  fd-hard-limit {2 * settings.max_connections}
  nbthread 1  # with more, threads that log at the same moment lose lines (2.6: 81 of 30,000 with two)
  hard-stop-after {ms(settings.forced_close_s)}
  setenv {STAMP_VARIABLE} {stamp}
  setenv SENRYU_APPS_MAP {settings.apps}
  setenv SENRYU_DYNOS_MAP {settings.dynos}
  setenv SENRYU_HOLD_MS {round(settings.boot_timeout_s * 1000)}
{answer_environment(settings)}  setenv SENRYU_PLATFORM {settings.platform_socket}
  setenv SENRYU_WAITING {settings.waiting_socket}
  setenv SENRYU_PLATFORM_MS {round(settings.platform_wait_s * 1000)}
  lua-load {settings.hold}
  setenv SENRYU_BUCKET_FULL {quoted(objects.FULL)}
  lua-load {settings.objects_script}
  tune.bufsize {_BUFFER_BYTES}
  tune.http.maxhdr {limits.REQUEST_HEADERS_MAX}
  tune.http.logurilen {limits.REQUEST_LINE_MAX_BYTES}
  tune.h2.max-concurrent-streams 100
  tune.ssl.cachesize 2000  # of sessions to resume: ten times as many are 4 MB from the start
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
"""


def _defaults(settings: RouterSettings) -> str:
    return f"""defaults anything
  mode http
  option abortonclose
  option splice-auto
  option http-no-delay  # else each piece of an answer that goes on (a log, events of an app) waits 0.2 s in the kernel for the next
  timeout http-request {ms(settings.header_timeout_s)}
  timeout http-keep-alive 60s
  timeout client {ms(settings.idle_timeout_s)}
  timeout client-fin 10s
  timeout connect {ms(settings.connect_timeout_s)}
  timeout server {ms(settings.idle_timeout_s)}
  timeout tunnel {ms(settings.idle_timeout_s)}
  http-error status 400 {HTML} string {quoted(pages.BAD_REQUEST)}
  http-error status 408 {HTML} string {quoted(pages.REQUEST_TIMEOUT)}
"""


def _platform(settings: RouterSettings) -> str:
    away = '{"id":"service_unavailable","message":"The platform is starting or restarting; try again in a moment."}'
    long = ms(limits.PLATFORM_RESPONSE_TIMEOUT_S)
    return f"""backend platform from anything
  option http-server-close
  http-reuse never
  timeout server {long}
  timeout tunnel {long}
{ADDED_HEADERS}  http-request lua.await_platform
  http-request set-timeout server {long}
  http-error status 502 content-type application/json string '{away}'
  http-error status 503 content-type application/json string '{away}'
  http-error status 504 content-type application/json string '{away}'
  server senryud unix@{settings.platform_socket}
"""


def _slot(name: str, servers: Sequence[Server], settings: RouterSettings) -> str:
    """One app's backend."""
    lines = "".join(f"  server {server.name} {server_words(server, settings)}\n" for server in servers if not server.is_leaving)
    return f"backend {name} from app\n{first_byte(settings)}{lines}"


def server_words(server: Server, settings: RouterSettings) -> str:
    """Everything a dyno's server is told after its name. One that drains when HAProxy starts has no weight, as `drain` sets it at run time.

    `sni` makes no TLS: connections of different names are kept apart, and a request with a name takes none that is open already.
    """
    weight = " weight 0" if server.is_draining else ""
    return f"{server.address} maxconn {settings.dyno_requests} {_POOL}{weight}"
