"""For gunicorn: notes each request's head as it sees it, reads the body, answers with what it read."""

import json
import os
from collections.abc import Callable
from typing import Any

SEEN = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def app(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
    path = environ["PATH_INFO"]
    os.write(SEEN, json.dumps([environ["REQUEST_METHOD"], path, environ.get("HTTP_VIA", "")]).encode() + b"\n")
    try:
        length = len(environ["wsgi.input"].read())
    except OSError:
        length = -1
    body = f"{path} {length}\n".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
