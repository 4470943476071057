"""Run time: the site behind granian (connections, HTTP and file bytes in Rust) on 0.0.0.0:$PORT.

Granian loads this module again in its worker to find ``application``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent
sys.path[:0] = [str(HOME), str(HOME / "packages")]

try:
    from granian import Granian
except ImportError as error:
    sys.exit(f"The file server was built for another Python than this stack's {sys.version.split()[0]}: push again. ({error})")

GRACE_S = 20  # below the 30 s a dyno has between SIGTERM and SIGKILL


class Application:
    """The RSGI application; reads the site once, when the worker starts."""

    def __rsgi_init__(self, loop: Any) -> None:
        import settings as static_json
        from site_answers import Site

        app = HOME.parent.parent
        etags = json.loads((HOME / "etags.json").read_text(encoding="utf-8"))
        self.site = Site(static_json.read(app), app, etags)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        headers = {name: scope.headers.get(name) for name in scope.headers.keys()}  # noqa: SIM118
        headers.setdefault("host", scope.authority or "")
        answer = self.site.answer(scope.method, scope.path, scope.query_string, headers)
        if scope.method == "HEAD" or (answer.file is None and not answer.text):
            protocol.response_empty(answer.status, answer.headers)
        elif answer.file is None:
            protocol.response_str(answer.status, answer.headers, answer.text)
        elif answer.span is not None:
            protocol.response_file_range(answer.status, answer.headers, answer.file, *answer.span)
        else:
            protocol.response_file(answer.status, answer.headers, answer.file)


application = Application()


def main() -> None:
    Granian(
        "serve:application",
        address="0.0.0.0",
        port=int(os.environ.get("PORT", "5000")),
        interface="rsgi",
        websockets=False,
        loop="asyncio",
        workers=int(os.environ.get("WEB_CONCURRENCY", "1")),
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_S,
    ).serve()


if __name__ == "__main__":
    main()
