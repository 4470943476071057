"""Requests for object storage: whose bucket they are for, and what a full one does not take. Text only.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html, /AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from senryu.core import limits
from senryu.core.address import DYNOS
from senryu.routers.haproxy.lines import ms, quoted
from senryu.routers.haproxy.settings import RouterSettings

_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
FULL = _ERROR.format(
    code="QuotaExceeded",
    message="The bucket has no room for this: delete objects, or have more with `senryu addons:upgrade`.",
)
_AWAY = _ERROR.format(code="ServiceUnavailable", message="Object storage is starting or restarting; try again in a moment.")


# Dynos are led here for object storage only (agent/front.py): by the first address of their lot (agent/lot.py).
BY_GATEWAY = (
    f"  tcp-request session set-var(sess.by_gateway) bool(1) if {{ src {DYNOS} }}"
    r" { dst -m reg ^10\.(6[4-9]|[78][0-9]|9[0-5])\.(0|32|64|96|128|160|192|224)\.1$ }"
    "\n"
)


def rules(settings: RouterSettings) -> str:
    """Before `Expect: 100-continue` is answered: who is refused need not send.

    A `POST` with `?delete` takes objects away, unless it is a form, which S3 servers read as an upload whatever its query says.
    """
    host = settings.objects_name
    mine = "if for_objects"
    return (
        f"  acl for_objects var(txn.name) -m str {host}\n"
        f"  acl for_objects var(txn.name) -m end .{host}\n"
        "  http-request return status 403 content-type text/plain string 'Dynos reach object storage here, and nothing else.'"
        " if by_gateway !for_objects\n"
        f"  acl names_bucket var(txn.name) -m end .{host}\n"
        f"  http-request set-var(txn.bucket) path,url_dec,regsub(^/+,),field(1,/) {mine} !names_bucket\n"
        f"  http-request set-var(txn.bucket) var(txn.name),field(1,.) {mine} names_bucket\n"
        f"  http-request set-var(txn.room) var(txn.bucket),map_str_int({settings.rooms}) {mine}\n"
        "  acl is_form req.fhdr(content-type) -m sub -i multipart/form-data\n"
        "  acl deletes query -m reg (^|&)delete(=|&|$)\n"
        "  acl has_room var(txn.room) -m int gt 0\n"
        "  acl is_upload method PUT\n"
        "  acl is_upload_form method POST\n"
        "  http-request set-var(txn.uploads) bool(1) if for_objects { var(txn.room) -m found } is_upload\n"
        "  http-request set-var(txn.uploads) bool(1) if for_objects { var(txn.room) -m found } is_upload_form !deletes\n"
        "  http-request set-var(txn.uploads) bool(1) if for_objects { var(txn.room) -m found } is_upload_form is_form\n"
        "  http-request set-var(txn.lacking) req.hdr_val(content-length),sub(txn.room) if { var(txn.uploads) -m found }\n"
        "  http-request set-var(txn.refused) bool(1) if { var(txn.uploads) -m found } !has_room\n"
        "  http-request set-var(txn.refused) bool(1) if { var(txn.uploads) -m found } { var(txn.lacking) -m int gt 0 }\n"
        f"  http-request return status 403 content-type application/xml hdr Access-Control-Allow-Origin * string {quoted(FULL)}"
        " if { var(txn.refused) -m found } { req.fhdr_cnt(expect) gt 0 }\n"
        "  http-request use-service lua.refuse_upload if { var(txn.refused) -m found }\n"
    )


def backend(settings: RouterSettings) -> str:
    """The S3 server. It reads the Host header as clients signed it, so nothing is added or changed."""
    long = ms(limits.OBJECTS_RESPONSE_TIMEOUT_S)
    pages = "".join(f"  http-error status {status} content-type application/xml string {quoted(_AWAY)}\n" for status in (502, 503, 504))
    return f"""backend objects from anything
  http-reuse safe
  timeout server {long}
{pages}  server s3 unix@{settings.objects_socket}
"""
