"""What becomes of a request for an app: which connection it takes, how long anybody waits, what is answered when no dyno does. Text only.

Plain requests (outside.py) take a connection to the dyno that is open already. Should the dyno have closed it in that moment, they are sent
once more: they only read. All others get a connection of their own, which ends with them, and are never sent twice.
Source: https://docs.haproxy.org/2.6/configuration.html; behaviour: Dev Center, http-routing and error-codes; RFC 9112, 9.3.1.
"""

from __future__ import annotations

from senryu.core import limits
from senryu.routers.haproxy import pages
from senryu.routers.haproxy.lines import HTML, ms, page_with, quoted
from senryu.routers.haproxy.outside import ADDED_HEADERS
from senryu.routers.haproxy.settings import RouterSettings

SMALL_BODY_BYTES = 16 * limits.KIB
_CLOCK_STEP_MS = 50
_OURS = "1:4 7:10"  # bc_err of a connection to a dyno for which the router or the machine lacked a file, memory or a port


def app_defaults(settings: RouterSettings) -> str:
    """What all apps' backends share."""
    error = page_with(pages.ERROR_TITLE, _body(settings.error_pages, pages.ERROR_TEXT))
    maintenance = page_with(pages.MAINTENANCE_TITLE, _body(settings.maintenance_pages, pages.MAINTENANCE_TEXT))
    return (
        "defaults app from anything\n"
        "  balance random(2)\n"
        "  http-reuse always\n"
        "  retries 3\n"
        "  option redispatch 1\n"
        "  retry-on conn-failure empty-response\n"
        f"  timeout queue {ms(settings.boot_timeout_s)}\n"
        + "".join(f"  http-error status {status} {HTML} lf-string {error}\n" for status in (500, 502, 503, 504))
        + ADDED_HEADERS
        + _ways(settings)
        + _answers(error, maintenance)
        + _bodies(settings)
        + _WATCH
        + _responses()
    )


def _body(file: object, built_in: str) -> str:
    """The app's own page of this kind, or the built-in one, as part of a log-format string."""
    text = built_in.replace("%", "%%").replace("'", "&#39;").replace('"', "&quot;")
    return f'%[var(txn.slot),map_str({file},"{text}")]'


def _ways(settings: RouterSettings) -> str:
    """A plain request for an app that serves goes on at once; all others have rules to pass.

    A process that was replaced says of every backend that it has no server, and yet sends them what comes over its last connections.
    """
    return f"""  acl is_plain var(txn.plain) -m found
  acl is_serving var(txn.app) -m beg serve:
  acl has_dyno nbsrv gt 0
  acl has_dyno stopping
  acl is_crowded avg_queue gt {limits.BACKLOG_PER_DYNO}
  acl has_too_many be_conn gt {settings.app_connections}
  http-request allow if is_plain is_serving has_dyno !is_crowded !has_too_many
  acl serves var(txn.mode) -m str serve
  http-request set-var(txn.mode) var(txn.app),field(1,:)
  http-request set-var(txn.mode) str(held) if {{ var(txn.mode) -m str boot idle }} or serves !has_dyno
  http-request set-var(txn.mode) str(full) if has_too_many or {{ var(txn.mode) -m str held }} {{ be_conn gt {settings.held_requests} }}
  http-request lua.hold if {{ var(txn.mode) -m str held }}
"""


def _answers(error: str, maintenance: str) -> str:
    """What is answered for an app that takes no requests, with the code its log line carries."""
    table = (
        ("maintenance", "H80", maintenance),
        ("blank", "H81", quoted(pages.BLANK_APP)),
        ("stopped", "H14", error),
        ("crashed", "H10", error),
        ("exhausted", "H82", quoted(pages.OUT_OF_HOURS)),
        ("late", "H20", error),
        ("lost", "H99", error),
        ("full", "H22", error),
        ("held", "H27", error),  # still: the visitor left
    )
    lines = [
        f"  http-request set-var(txn.code) str({code}) if {{ var(txn.mode) -m str {mode} }}\n"
        f"  http-request return status 503 {HTML} lf-string {body} if {{ var(txn.mode) -m str {mode} }}\n"
        for mode, code, body in table
    ]
    lines.append(f"  http-request return status 404 {HTML} lf-string {quoted(pages.NO_SUCH_APP)} unless serves\n")
    lines.append("  http-request set-var(txn.code) str(H11) if is_crowded\n")
    lines.append(f"  http-request return status 503 {HTML} lf-string {error} if is_crowded\n")
    return "".join(lines)


def _bodies(settings: RouterSettings) -> str:
    """Small bodies are read before a dyno is bothered, others stream. `fresh` keeps a request off connections that are open already."""
    return f"""  acl has_length req.hdr_cnt(content-length) gt 0
  acl may_have_body method POST PUT PATCH
  acl is_chunked req.hdr_cnt(transfer-encoding) gt 0
  acl is_small req.hdr_val(content-length) le {SMALL_BODY_BYTES}
  acl is_upgrade req.hdr_cnt(upgrade) gt 0
  http-request set-var(txn.streams) bool(1) if is_chunked or may_have_body !has_length or has_length !is_small
  acl streams var(txn.streams) -m found
  http-request wait-for-body time {ms(settings.idle_timeout_s)} if has_length !streams
  http-request set-var(txn.length) req.hdr_val(content-length) if streams has_length
  http-request set-timeout server {ms(settings.first_byte_timeout_s)} if streams
  http-request set-var(txn.fresh) str(fresh) unless is_plain
  http-request disable-l7-retry unless is_plain
  http-request set-header Connection close if !is_plain !is_upgrade
"""


def first_byte(settings: RouterSettings) -> str:
    """What each backend watches responses with: HAProxy has no timeout that ends with the first byte, and tells some visitors nothing when
    none comes at all.

    These are not in the defaults with those above them: 2.6 runs no tcp-response rules that are only inherited, and after a rule had to
    wait it goes on behind the inherited ones.
    """
    return f"""  tcp-response inspect-delay {ms(settings.first_byte_timeout_s)}
  tcp-response content accept if {{ status gt 0 }}
  tcp-response content lua.answer
"""


def answer_environment(settings: RouterSettings) -> str:
    """What `lua.answer` answers with, and when it is too late; a step of HAProxy's clock less than the time it waits."""
    return (
        f"  setenv SENRYU_FIRST_BYTE_MS {round(settings.first_byte_timeout_s * 1000) - _CLOCK_STEP_MS}\n"
        f"  setenv SENRYU_ERROR_PAGES_MAP {settings.error_pages}\n"
        f"  setenv SENRYU_ERROR_PAGE '{pages.page(pages.ERROR_TITLE, 'BODY')}'\n"
        f"  setenv SENRYU_ERROR_TEXT '{pages.ERROR_TEXT}'\n"
    )


# The second try of a request finds the moment the first began.
_WATCH = """  tcp-response content set-var(txn.again) bool(1) if { var(txn.since) -m found }
  tcp-response content set-var(txn.since) date(0,ms) if !{ var(txn.again) -m found }
  tcp-response content lua.watch if is_plain
"""


# No fetch gives the reason phrase: it is what is left of the whole (in HAProxy's own form: 32 bytes and one of each header's separators
# less than on the wire) without headers and body. Most responses are smaller than any limit and cost one comparison.
_COOKIE, _STATUS_LINE = limits.RESPONSE_COOKIE_MAX_BYTES, limits.RESPONSE_STATUS_LINE_MAX_BYTES


def _responses() -> str:
    return f"""  acl is_large res.len gt {min(_COOKIE, _STATUS_LINE)}
  http-response deny deny_status 502 unless {{ status ge 100 }}
  http-response set-var(txn.answered) bool(1)
  http-response allow unless is_large
  acl is_large_cookie res.fhdr(set-cookie) -m len gt {_COOKIE}
  http-response set-var(txn.code) "str(H25 oversized cookie)" if is_large_cookie
  http-response set-var(txn.names) res.fhdr_cnt,mul(4)
  http-response set-var(txn.headers) res.hdrs,length,sub(txn.names)
  http-response set-var(txn.body) res.body_len
  acl is_long_line res.len,sub(txn.headers),sub(txn.body) gt {_STATUS_LINE + len("HTTP/1.1") + 9}
  http-response set-var(txn.code) "str(H25 oversized status line)" if is_long_line
  http-response deny deny_status 502 if {{ var(txn.code) -m beg H25 }}
  http-after-response set-var(txn.code) str(H99) if {{ bc_err {_OURS} }} !{{ var(txn.answered) -m found }}
  http-after-response set-status 503 if {{ status 500 502 504 }} !{{ var(txn.answered) -m found }} !{{ var(txn.code) -m beg H25 }}
"""
