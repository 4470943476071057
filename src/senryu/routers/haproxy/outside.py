"""What becomes of a request before it is any app's: who it is for, what no dyno gets to see. Text only.

Nearly all requests are plain: they read, are for a known host, and carry no header with a meaning of its own here. One expression over
the whole header block finds that out, and they skip every rule that is about the others: each rule costs, and there are many.
Source: https://docs.haproxy.org/2.6/configuration.html; Dev Center, http-routing; RFC 9112.
"""

from __future__ import annotations

from collections.abc import Sequence

from senryu.core import limits
from senryu.core.address import DYNOS, NOT_THE_INTERNET
from senryu.routers.haproxy import objects, pages
from senryu.routers.haproxy.lines import HTML, ms, quoted
from senryu.routers.haproxy.settings import RouterSettings

PLATFORM_HOSTS = ("api", "git", "dashboard")
_CHALLENGES = "/.well-known/acme-challenge/"
_HOST = r"(?:[A-Za-z0-9._~*-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_URL_MAX = limits.REQUEST_LINE_MAX_BYTES - len("  HTTP/1.1")
_LENGTH_MAX_DIGITS = 18  # HAProxy 2.6 takes 2**64 for a length and forwards it
# Headers that say how a body comes, that routers set, that end at the next hop, or that ask for a stream without an end.
_TELLING = "content-|transfer-|expect|upgrade:|x_|x-(?:forwarded|request)-|te:|trailer|keep-alive|proxy-|accept:.*event-stream"
_ODD = rf"(?m){_CONTROL}|^(?:{_TELLING}|host: (?!{_HOST}\r?$)|[^\r\n]{{{limits.REQUEST_HEADER_LINE_MAX_BYTES + 1}}})"

# One JSON list a request; request_log.py reads it. What a client chose goes through `json`, so that a line stays a line, but where its form
# is known: a method is a token, ids and plain requests' hosts are of harmless characters, other hosts have been through `json` before.
LOG_FORMAT = (
    '[%[date(0,ms)],"%[var(txn.app)]","%HM","%[capture.req.uri,bytes(0,7000),json(utf8s)]",'
    '"%[var(txn.host)]","%[var(txn.id)]","%[var(txn.forwarded)]","%[var(sess.visitor)]",'
    '"%s","%Tw","%Tc","%Tr","%Ta","%TR","%ST","%B","%ts","%[ssl_fc]","%[var(txn.code)]","%U","%[var(txn.length)]"]'
)


def frontend(settings: RouterSettings) -> str:
    """Both ports, the request log, and the rules before a backend is chosen."""
    binds = "".join(
        f"  bind {place}:{settings.port}{only}\n"
        f"  bind {place}:{settings.tls_port}{only} ssl crt {settings.certificates}/default.pem crt-list {settings.certificate_list}"
        " alpn h2,http/1.1\n"
        for place, only in _places(settings.listen)
    )
    return (
        f"frontend outside from anything\n{binds}"
        # Whoever holds connections open without end (slowloris) leaves most of them to others. One proxy in front of us may be one source.
        "  stick-table type ipv6 size 100k expire 1m store conn_cur\n"
        "  tcp-request connection track-sc0 src\n"
        f"  tcp-request connection reject if {{ sc0_conn_cur gt {settings.source_connections} }}\n"
        "  option idle-close-on-response\n"  # a replaced process waits for a connection's next request: it may be on its way
        '  log "${SENRYU_LOG-stdout}" len 65535 format raw local0 info\n'  # as starter.sh says
        f"  log-format '{LOG_FORMAT}'\n"
        f"{_visitor(settings)}{objects.BY_GATEWAY}{_plain(settings)}{_SAFE_HOST}{objects.rules(settings)}{_others(settings)}"
        '  http-response add-header Via "1.1 senryu"\n'
        "  use_backend %[var(txn.slot)] if is_plain\n"
        "  use_backend platform if for_platform\n"
        "  use_backend objects if for_objects\n"
        "  use_backend %[var(txn.slot)]\n"
    )


def _places(listen: Sequence[str]) -> list[tuple[str, str]]:
    """Addresses, and what goes with their ports. `::` is two: one socket for both families would give IPv4 visitors IPv6 addresses."""
    places = [(f"[{ip}]" if ":" in ip else ip, " v6only" if ip == "::" else "") for ip in listen]
    return [*places, ("0.0.0.0", "")] if "::" in listen and "0.0.0.0" not in listen else places


def _visitor(settings: RouterSettings) -> str:
    """Who the visitor is. A dyno (agent/lot.py) that comes by a public address of this machine, or `lan_address`, is that address.

    Its own is private, and apps take what a private address says of others in X-Forwarded-For for a proxy's word (Rails' RemoteIp, Rack,
    proxy-addr); another one with each start, it would have guesses at passwords counted anew. As text: an address would be written out
    anew for each header and log line.
    """
    dyno = f"  tcp-request session set-var-fmt(sess.visitor) %[dst] if {{ src {DYNOS} }}"
    return (
        "  tcp-request session set-var-fmt(sess.visitor) %[src]\n"
        f"{dyno} !{{ dst {' '.join(NOT_THE_INTERNET)} }}\n"
        + (f"{dyno} {{ dst {settings.lan_address} }}\n" if settings.lan_address else "")
    )


# What every backend adds. The frontend has deleted what came under these names.
ADDED_HEADERS = """  http-request add-header X-Request-Id %[var(txn.id)]
  acl is_forwarded var(txn.fwd) -m found
  http-request add-header X-Forwarded-For %[var(txn.fwd)] if is_forwarded
  http-request add-header X-Forwarded-For %[var(sess.visitor)] unless is_forwarded
  http-request add-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request add-header X-Forwarded-Port %[dst_port]
  http-request add-header X-Request-Start %[date(0,ms)]
  http-request add-header Via "1.1 senryu"
"""


def _plain(settings: RouterSettings) -> str:
    """Up to `allow`: all that a plain request meets."""
    names = " ".join(dict.fromkeys(["localhost", *(f"{name}.{settings.domain}" for name in PLATFORM_HOSTS)]))
    return (
        "  http-request set-var(txn.id) uuid()\n"
        "  http-request set-var(txn.host) req.fhdr(host)\n"
        "  http-request set-var(txn.name) var(txn.host),host_only,rtrim(.)\n"
        f"  http-request set-var(txn.slot) var(txn.name),map_str({settings.hosts})\n"
        f"  http-request set-var(txn.app) var(txn.slot),map_str({settings.apps})\n"
        f"  acl for_platform var(txn.name) -m str {names}\n"
        "  acl is_known var(txn.app) -m found\n"
        "  acl reads method GET HEAD\n"
        f"  acl is_challenge path_beg {_CHALLENGES}\n"
        f"  acl is_long url_len gt {_URL_MAX}\n"
        f"  acl is_odd req.hdrs -m reg -i '{_ODD}'\n"
        "  acl by_gateway var(sess.by_gateway) -m found\n"
        "  http-request set-var(txn.plain) bool(1) if reads is_known !for_platform !is_challenge !is_long !is_odd !by_gateway\n"
        "  acl is_plain var(txn.plain) -m found\n"
        "  http-request del-header connection if is_plain\n"
        "  http-request allow if is_plain\n"
    )


def _others(settings: RouterSettings) -> str:
    return (
        _IDENTITY
        + f"  http-request set-var(txn.name) str(localhost) if is_challenge {{ path,map_str({settings.challenges}) -m found }}\n"
        + "  http-request unset-var(txn.app) if for_platform || for_objects\n"
        + "  http-request set-log-level silent if for_platform || for_objects\n"
        + _wildcards(settings)
        + _restrictions(settings)
        + _HOP_BY_HOP
        + f"  http-request return status 404 {HTML} string {quoted(pages.NO_SUCH_APP)} if !for_platform !for_objects !is_known\n"
    )


# Nothing but the log asks for it from here on.
_SAFE_HOST = "  http-request set-var(txn.host) var(txn.host),bytes(0,300),json(utf8s)\n"

# First, so that a refused request has them in its line too.
_IDENTITY = """  acl good_request_id req.hdr(x-request-id) -m reg ^[A-Za-z0-9+/=-]{20,200}$
  acl one_request_id req.hdr_cnt(x-request-id) eq 1
  http-request set-var(txn.id) req.hdr(x-request-id) if one_request_id good_request_id
  acl was_forwarded req.fhdr_cnt(x-forwarded-for) gt 0
  http-request set-var(txn.forwarded) req.fhdr(x-forwarded-for),bytes(0,1000),json(utf8s) if was_forwarded
  http-request set-var-fmt(txn.fwd) "%[req.fhdr(x-forwarded-for)], %[var(sess.visitor)]" if was_forwarded
"""

# `x_forwarded_for` reaches WSGI and Rack apps as the same variable as the real header does.
_HOP_BY_HOP = """  acl is_upgrade req.hdr_cnt(upgrade) gt 0
  http-request del-header x_ -m beg
  http-request del-header x-request-id
  http-request del-header x-request-start
  http-request del-header x-forwarded- -m beg
  http-request del-header connection unless is_upgrade
  http-request set-header Connection Upgrade if is_upgrade
  http-request del-header keep-alive
  http-request del-header te
  http-request del-header trailer
  http-request del-header proxy-authorization
  http-request del-header proxy-connection
"""


def _restrictions(settings: RouterSettings) -> str:
    """What no dyno gets to see. Source: Dev Center, http-routing; RFC 9112."""
    header = limits.REQUEST_HEADER_LINE_MAX_BYTES
    bad = (
        "{ method CONNECT }",
        "!{ req.fhdr_cnt(host) eq 1 }",
        rf"!{{ req.fhdr(host) -m reg '^{_HOST}$' }}",
        "is_long",
        f"{{ req.hdrs -m len gt {header} }} {{ req.hdrs -m reg '(?:^|\\n)[^\\r\\n]{{{header + 1}}}' }}",
        rf"{{ req.hdrs -m reg '{_CONTROL}' }}",
        "{ req.fhdr_cnt(content-length) gt 1 }",
        f"{{ req.fhdr(content-length) -m len gt {_LENGTH_MAX_DIGITS} }}",
        "{ req.fhdr_cnt(content-length) gt 0 } { req.fhdr_cnt(transfer-encoding) gt 0 }",
        "{ req.fhdr_cnt(transfer-encoding) gt 0 } !{ req.fhdr(transfer-encoding) -i -m str chunked }",
        "{ req.fhdr_cnt(transfer-encoding) gt 1 }",
    )
    refusals = "".join(f"  http-request set-var(txn.code) str(H26) if {condition}\n" for condition in bad)
    # Closed behind it, which `deny` does not do: where such a request ends is anybody's guess.
    refused = f"{HTML} string {quoted(pages.BAD_REQUEST)} hdr Connection close"
    told = f"content-type application/json string '{pages.BAD_API_REQUEST}' hdr Connection close"
    return (
        "  acl has_expectation req.fhdr_cnt(expect) gt 0\n"
        "  acl awaits_100 req.fhdr(expect) -i 100-continue\n"
        f"{refusals}  http-request return status 400 {told} if for_platform {{ var(txn.code) -m found }}\n"
        f"  http-request return status 400 {refused} if {{ var(txn.code) -m found }}\n"
        "  http-request set-var(txn.code) str(H26) if has_expectation !awaits_100\n"
        f"  http-request return status 417 {HTML} string {quoted(pages.BAD_EXPECTATION)} if has_expectation !awaits_100\n"
        # The router says 100 Continue itself: many dynos never would.
        f"  http-request wait-for-body time {ms(settings.idle_timeout_s)} at-least 1 if awaits_100\n"
    )


def _wildcards(settings: RouterSettings) -> str:
    """From the name to the slot when the name itself leads to none: `*.` and ever fewer of its labels."""
    steps = []
    unknown = "if !for_platform !for_objects !{ var(txn.slot) -m found }"
    source, pattern = "txn.name", r"^[^.]*\."
    for _ in range(4):
        steps.append(f"  http-request set-var(txn.wild) 'var({source}),regsub({pattern},*.)' {unknown}\n")
        steps.append(f"  http-request set-var(txn.slot) var(txn.wild),map_str({settings.hosts}) {unknown}\n")
        source, pattern = "txn.wild", r"^[*]\.[^.]*\."
    steps.append(f"  http-request set-var(txn.app) var(txn.slot),map_str({settings.apps}) if !for_platform !for_objects !is_known\n")
    return "".join(steps)
