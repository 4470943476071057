"""The text HAProxy starts from, as a pure function of the settings and the routes.

Everything that changes while the platform runs is changed through the runtime API; the same text with the changed
routes is then written, so that a restart begins where the last run was.
Source: https://docs.haproxy.org/2.6/configuration.html; behaviour: Dev Center, http-routing and error-codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from senryu.core import limits
from senryu.routers.haproxy import pages
from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.haproxy.slots import Server, slot_names

PLATFORM_HOSTS = ("api", "git", "dashboard")
SMALL_BODY_BYTES = 16 * limits.KIB
_BUFFER_BYTES = 32 * limits.KIB  # holds the whole header block of a request
_CLOCK_STEP_MS = 50
_LENGTH_MAX_DIGITS = 18  # HAProxy 2.6 takes 2**64 for a length and forwards it
_OURS = "1:4 7:10"  # bc_err of a connection to a dyno for which the router or the machine lacked a file, memory or a port
_HTML = "content-type text/html;charset=utf-8"

# One JSON list a request. What a client chose goes through `json`, so that a line stays a line; request_log.py reads it.
LOG_FORMAT = (
    '[%[date(0,ms)],"%[var(txn.app)]","%[capture.req.method,json(utf8s)]","%[capture.req.uri,bytes(0,7000),json(utf8s)]",'
    '"%[var(txn.host),bytes(0,300),json(utf8s)]","%[var(txn.id),json(utf8s)]","%[var(txn.fwd),bytes(0,1000),json(utf8s)]",'
    '"%s","%Tw","%Tc","%Tr","%Ta","%TR","%ST","%B","%ts","%[ssl_fc]","%[var(txn.code)]","%U","%[var(txn.length)]"]'
)


def config_text(settings: RouterSettings, slots: int, servers: Mapping[str, Sequence[Server]]) -> str:
    """The whole configuration, with room for `slots` apps; `servers` by slot are the dynos known now."""
    parts = [
        _global(settings),
        _defaults(settings),
        _outside(settings),
        _platform(settings),
        _app_defaults(settings),
        *(_slot(name, servers.get(name, ()), settings) for name in slot_names(slots)),
    ]
    return "\n".join(parts)


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _quoted(value: str) -> str:
    """A log-format string as one word: `%` doubled, nothing else means anything inside single quotes."""
    return "'" + value.replace("%", "%%").replace("'", "&#39;") + "'"


def _global(settings: RouterSettings) -> str:
    return f"""# Written by senryu; changes made here by hand are lost.
global
  stats socket {settings.socket} mode 660 level admin expose-fd listeners
  stats timeout 1h
  fd-hard-limit {2 * settings.max_connections}
  nbthread 1  # with more, threads that log at the same moment lose lines (2.6: 81 of 30,000 with two)
  hard-stop-after {_ms(settings.forced_close_s)}
  setenv SENRYU_APPS_MAP {settings.apps}
  setenv SENRYU_HOLD_MS {round(settings.boot_timeout_s * 1000)}
  setenv SENRYU_PLATFORM {settings.platform_socket}
  setenv SENRYU_PLATFORM_MS {round(settings.platform_wait_s * 1000)}
  lua-load {settings.hold}
  tune.bufsize {_BUFFER_BYTES}
  tune.http.maxhdr {limits.REQUEST_HEADERS_MAX}
  tune.http.logurilen {limits.REQUEST_LINE_MAX_BYTES}
  tune.h2.max-concurrent-streams 100
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
"""


def _defaults(settings: RouterSettings) -> str:
    return f"""defaults anything
  mode http
  option http-server-close
  option abortonclose
  option splice-auto
  http-reuse never
  timeout http-request {_ms(settings.header_timeout_s)}
  timeout http-keep-alive 60s
  timeout client {_ms(settings.idle_timeout_s)}
  timeout client-fin 10s
  timeout connect {_ms(settings.connect_timeout_s)}
  timeout server {_ms(settings.idle_timeout_s)}
  timeout tunnel {_ms(settings.idle_timeout_s)}
  http-error status 400 {_HTML} string {_quoted(pages.BAD_REQUEST)}
  http-error status 408 {_HTML} string {_quoted(pages.REQUEST_TIMEOUT)}
"""


def _outside(settings: RouterSettings) -> str:
    binds = "".join(
        f"  bind {_address(ip)}:{settings.port}\n"
        f"  bind {_address(ip)}:{settings.tls_port} ssl crt {settings.certificates}/default.pem crt-list {settings.certificate_list}"
        " alpn h2,http/1.1\n"
        for ip in settings.listen
    )
    names = " ".join(dict.fromkeys(["localhost", *(f"{name}.{settings.domain}" for name in PLATFORM_HOSTS)]))
    return (
        f"frontend outside from anything\n{binds}"
        "  log stdout len 65535 format raw local0 info\n"
        f"  log-format '{LOG_FORMAT}'\n"
        f"{_IDENTITY}"
        "  http-request set-var(txn.name) req.hdr(host),host_only,rtrim(.)\n"
        "  http-request set-var(txn.name) str(localhost) if { path_beg /.well-known/acme-challenge/ }"
        f" {{ path,map_str({settings.challenges}) -m found }}\n"
        f"  acl for_platform var(txn.name) -m str {names}\n"
        "  http-request set-log-level silent if for_platform\n"
        f"{_lookups(settings)}{_restrictions(settings)}{_FORWARDED}"
        f"  http-request return status 404 {_HTML} string {_quoted(pages.NO_SUCH_APP)} if !for_platform !{{ var(txn.app) -m found }}\n"
        "  use_backend platform if for_platform\n"
        "  use_backend %[var(txn.slot)]\n"
    )


def _address(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


# First, so that a refused request has them in its line too.
_IDENTITY = """  acl good_request_id req.hdr(x-request-id) -m reg ^[A-Za-z0-9+/=-]{20,200}$
  acl one_request_id req.hdr_cnt(x-request-id) eq 1
  http-request set-header X-Request-Id %[uuid()] unless one_request_id good_request_id
  http-request set-var(txn.id) req.hdr(x-request-id)
  http-request set-var(txn.host) req.fhdr(host)
  http-request set-var-fmt(txn.fwd) %[src]
  http-request set-var-fmt(txn.fwd) "%[req.fhdr(x-forwarded-for)], %[src]" if { req.fhdr_cnt(x-forwarded-for) gt 0 }
"""


def _restrictions(settings: RouterSettings) -> str:
    """What no dyno gets to see. Source: Dev Center, http-routing; RFC 9112."""
    line, header = limits.REQUEST_LINE_MAX_BYTES, limits.REQUEST_HEADER_LINE_MAX_BYTES
    bad = (
        "{ method CONNECT }",
        "!{ req.fhdr_cnt(host) eq 1 }",
        r"!{ req.fhdr(host) -m reg '^([A-Za-z0-9._~*-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$' }",
        f"{{ url_len gt {line - len('  HTTP/1.1')} }}",
        f"{{ req.hdrs -m len gt {header} }} {{ req.hdrs -m reg '(?:^|\\n)[^\\r\\n]{{{header + 1}}}' }}",
        r"{ req.hdrs -m reg '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]' }",
        "{ req.fhdr_cnt(content-length) gt 1 }",
        f"{{ req.fhdr(content-length) -m len gt {_LENGTH_MAX_DIGITS} }}",
        "{ req.fhdr_cnt(content-length) gt 0 } { req.fhdr_cnt(transfer-encoding) gt 0 }",
        "{ req.fhdr_cnt(transfer-encoding) gt 0 } !{ req.fhdr(transfer-encoding) -i -m str chunked }",
        "{ req.fhdr_cnt(transfer-encoding) gt 1 }",
    )
    refusals = "".join(f"  http-request set-var(txn.code) str(H26) if {condition}\n" for condition in bad)
    # Closed behind it, which `deny` does not do: where such a request ends is anybody's guess.
    refused = f"{_HTML} string {_quoted(pages.BAD_REQUEST)} hdr Connection close"
    return (
        "  acl has_expectation req.fhdr_cnt(expect) gt 0\n"
        "  acl awaits_100 req.fhdr(expect) -i 100-continue\n"
        f"{refusals}  http-request return status 400 {refused} if {{ var(txn.code) -m found }}\n"
        "  http-request set-var(txn.code) str(H26) if has_expectation !awaits_100\n"
        f"  http-request return status 417 {_HTML} string {_quoted(pages.BAD_EXPECTATION)} if has_expectation !awaits_100\n"
        # The router says 100 Continue itself: many dynos never would.
        f"  http-request wait-for-body time {_ms(settings.idle_timeout_s)} at-least 1 if awaits_100\n"
    )


# `x_forwarded_for` reaches WSGI and Rack apps as the same variable as the real header does.
_FORWARDED = """  acl is_upgrade req.hdr_cnt(upgrade) gt 0
  http-request del-header x_ -m beg
  http-request set-header X-Forwarded-For %[var(txn.fwd)] if { req.fhdr_cnt(x-forwarded-for) le 1 }
  http-request add-header X-Forwarded-For %[src] if { req.fhdr_cnt(x-forwarded-for) gt 1 }
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  http-request set-header X-Forwarded-Proto http unless { ssl_fc }
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Request-Start %[date(0,ms)]
  http-request add-header Via "1.1 senryu"
  http-request del-header connection unless is_upgrade
  http-request set-header Connection Upgrade if is_upgrade
  http-request del-header keep-alive
  http-request del-header te
  http-request del-header trailer
  http-request del-header proxy-authorization
  http-request del-header proxy-connection
  http-response add-header Via "1.1 senryu"
"""


def _lookups(settings: RouterSettings) -> str:
    """From the name to the slot: the name itself, then `*.` and ever fewer of its labels."""
    hosts = f"map_str({settings.hosts})"
    steps = [f"  http-request set-var(txn.slot) var(txn.name),{hosts} unless for_platform\n"]
    unknown = "if !for_platform !{ var(txn.slot) -m found }"
    source, pattern = "txn.name", r"^[^.]*\."
    for _ in range(4):
        steps.append(f"  http-request set-var(txn.wild) 'var({source}),regsub({pattern},*.)' {unknown}\n")
        steps.append(f"  http-request set-var(txn.slot) var(txn.wild),{hosts} {unknown}\n")
        source, pattern = "txn.wild", r"^[*]\.[^.]*\."
    steps.append(f"  http-request set-var(txn.app) var(txn.slot),map_str({settings.apps}) unless for_platform\n")
    steps.append("  http-request set-var(txn.mode) var(txn.app),field(1,:)\n")
    return "".join(steps)


def _platform(settings: RouterSettings) -> str:
    away = '{"id":"service_unavailable","message":"The platform is starting or restarting; try again in a moment."}'
    long = _ms(limits.PLATFORM_RESPONSE_TIMEOUT_S)
    return f"""backend platform from anything
  timeout server {long}
  timeout tunnel {long}
  http-request lua.await_platform
  http-request set-timeout server {long}
  http-error status 502 content-type application/json string '{away}'
  http-error status 503 content-type application/json string '{away}'
  http-error status 504 content-type application/json string '{away}'
  server senryud unix@{settings.platform_socket}
"""


def _app_defaults(settings: RouterSettings) -> str:
    error = _app_page(pages.ERROR_TITLE, "%[var(txn.error_page)]")
    maintenance = _app_page(pages.MAINTENANCE_TITLE, "%[var(txn.maintenance_page)]")
    first_byte = _ms(settings.first_byte_timeout_s)
    return f"""defaults app from anything
  balance random(2)
  retries 3
  option redispatch 1
  retry-on conn-failure
  timeout queue {_ms(settings.boot_timeout_s)}
  http-error status 500 {_HTML} lf-string {error}
  http-error status 502 {_HTML} lf-string {error}
  http-error status 503 {_HTML} lf-string {error}
  http-error status 504 {_HTML} lf-string {error}
{_page_variables(settings)}
  acl serves var(txn.mode) -m str serve
  acl has_dyno nbsrv gt 0
  acl has_too_many be_conn gt {settings.app_connections}
  http-request set-var(txn.mode) str(held) if {{ var(txn.mode) -m str boot }} or serves !has_dyno
  http-request set-var(txn.mode) str(full) if has_too_many or {{ var(txn.mode) -m str held }} {{ be_conn gt {settings.held_requests} }}
  http-request lua.hold if {{ var(txn.mode) -m str held }}
{_answers(error, maintenance)}
  acl has_length req.hdr_cnt(content-length) gt 0
  acl may_have_body method POST PUT PATCH
  acl is_chunked req.hdr_cnt(transfer-encoding) gt 0
  acl is_small req.hdr_val(content-length) le {SMALL_BODY_BYTES}
  http-request set-var(txn.streams) bool(1) if is_chunked or may_have_body !has_length or has_length !is_small
  acl streams var(txn.streams) -m found
  http-request wait-for-body time {_ms(settings.idle_timeout_s)} if has_length !streams
  http-request set-var(txn.length) req.hdr_val(content-length) if streams has_length
  http-request set-timeout server {first_byte} if streams
  http-response deny deny_status 502 unless {{ status ge 100 }}
{_OVERSIZED}  http-response set-var(txn.answered) bool(1)
  http-after-response set-var(txn.code) str(H99) if {{ bc_err {_OURS} }} !{{ var(txn.answered) -m found }}
  http-after-response set-status 503 if {{ status 500 502 504 }} !{{ var(txn.answered) -m found }} !{{ var(txn.code) -m beg H25 }}
"""


# No fetch gives the reason phrase: it is what is left of the whole (in HAProxy's own form: 32 bytes and one of each header's separators
# less than on the wire) without headers and body. Most responses are smaller than any limit and cost one comparison.
_COOKIE, _STATUS_LINE = limits.RESPONSE_COOKIE_MAX_BYTES, limits.RESPONSE_STATUS_LINE_MAX_BYTES
_OVERSIZED = f"""  acl is_large res.len gt {min(_COOKIE, _STATUS_LINE)}
  acl is_large_cookie res.fhdr(set-cookie) -m len gt {_COOKIE}
  http-response set-var(txn.code) "str(H25 oversized cookie)" if is_large is_large_cookie
  http-response set-var(txn.names) res.fhdr_cnt,mul(4) if is_large
  http-response set-var(txn.headers) res.hdrs,length,sub(txn.names) if is_large
  http-response set-var(txn.body) res.body_len if is_large
  acl is_long_line res.len,sub(txn.headers),sub(txn.body) gt {_STATUS_LINE + len("HTTP/1.1") + 9}
  http-response set-var(txn.code) "str(H25 oversized status line)" if is_large is_long_line
  http-response deny deny_status 502 if is_large {{ var(txn.code) -m beg H25 }}
"""


def _app_page(title: str, body: str) -> str:
    return "'" + pages.page(title, "BODY").replace("%", "%%").replace("BODY", body) + "'"


def _page_variables(settings: RouterSettings) -> str:
    pairs = (
        ("error_page", settings.error_pages, pages.ERROR_TEXT),
        ("maintenance_page", settings.maintenance_pages, pages.MAINTENANCE_TEXT),
    )
    return "\n".join(
        f"  http-request set-var-fmt(txn.{name}) {_quoted(built_in)}\n  http-request set-var(txn.{name}) var(txn.slot),map_str({file})"
        for name, file, built_in in pairs
    )


def _answers(error: str, maintenance: str) -> str:
    """What is answered for an app that takes no requests, with the code its log line carries."""
    blank = _quoted(pages.BLANK_APP)
    table = (
        ("maintenance", "H80", maintenance),
        ("blank", "H81", blank),
        ("stopped", "H14", error),
        ("crashed", "H10", error),
        ("late", "H20", error),
        ("lost", "H99", error),
        ("full", "H22", error),
        ("held", "H27", error),  # still: the visitor left
    )
    lines = [
        f"  http-request set-var(txn.code) str({code}) if {{ var(txn.mode) -m str {mode} }}\n"
        f"  http-request return status 503 {_HTML} lf-string {body} if {{ var(txn.mode) -m str {mode} }}\n"
        for mode, code, body in table
    ]
    lines.append(f"  http-request return status 404 {_HTML} lf-string {_quoted(pages.NO_SUCH_APP)} unless serves\n")
    lines.append(f"  http-request set-var(txn.code) str(H11) if {{ avg_queue gt {limits.BACKLOG_PER_DYNO} }}\n")
    lines.append(f"  http-request return status 503 {_HTML} lf-string {error} if {{ avg_queue gt {limits.BACKLOG_PER_DYNO} }}\n")
    return "".join(lines)


def _slot(name: str, servers: Sequence[Server], settings: RouterSettings) -> str:
    """One app's backend.

    HAProxy has no timeout that ends with the first byte; watching the response for that long is one. The four rules are here and not
    in the defaults because 2.6 does not run tcp-response rules that are only inherited. A request that streams its body is left to
    `timeout server`, which counts from the last byte that moved.
    """
    enough_ms = round(settings.first_byte_timeout_s * 1000) - _CLOCK_STEP_MS  # WAIT_END comes early when the dyno closes
    lines = "".join(f"  {server_line(s, settings.dyno_requests)}\n" for s in servers if not s.is_leaving)
    return f"""backend {name} from app
  tcp-response inspect-delay {_ms(settings.first_byte_timeout_s)}
  tcp-response content set-var(txn.since) date(0,ms) if !{{ var(txn.since) -m found }}
  tcp-response content accept if {{ var(txn.streams) -m found }} or {{ status gt 0 }}
  tcp-response content set-var(txn.code) str(H12) if WAIT_END {{ date(0,ms),sub(txn.since) ge {enough_ms} }}
  tcp-response content close if WAIT_END
{lines}"""


def server_line(server: Server, requests: int) -> str:
    """`server` with everything it is told at start. A draining one starts with no weight, as `drain` sets it at run time."""
    weight = " weight 0" if server.is_draining else ""
    return f"server {server.name} {server.address} maxconn {requests}{weight}"
