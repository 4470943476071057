"""Output streams of builds and releases: plain text until it ends.

Source: https://devcenter.heroku.com/articles/build-and-release-using-the-api#output
"""

from __future__ import annotations

import http.client
import sys
import time

from senryu.cli.failure import API, Failure

START_WAIT_S = 60.0
IDLE_TIMEOUT_S = 3600.0
CHUNK_BYTES = 64 * 1024


def follow(url: str, *, as_answer: bool = True) -> None:
    """Copies the stream until it ends, to stdout, or to stderr when it is not the answer that was asked for.

    Waits up to a minute for it to begin. Raises `Failure`.
    """
    target = (sys.stdout if as_answer else sys.stderr).buffer
    sys.stdout.flush()
    try:
        response = _begun(url)
        while chunk := response.read1(CHUNK_BYTES):
            target.write(chunk)
            target.flush()
    except BrokenPipeError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"The output stream broke off: {error}", hint="The work goes on; look at `senryu releases`", status=API) from error


def _begun(url: str) -> http.client.HTTPResponse:
    from senryu.cli.platform_api import open_stream

    until = time.monotonic() + START_WAIT_S
    while True:
        response = open_stream(url, {}, IDLE_TIMEOUT_S)
        if response.status == 200:
            return response
        response.close()
        # 404 means: not started yet.
        if response.status != 404 or time.monotonic() > until:
            raise Failure(f"The output stream cannot be read: status {response.status}", status=API)
        time.sleep(1)
