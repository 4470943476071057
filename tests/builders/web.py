"""A web server on loopback with files and, through git's own http-backend, repositories."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Pages(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        if ".git/" in self.path:
            self._git(b"")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self._git(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _git(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": "/usr/bin:/bin",
            "GIT_PROJECT_ROOT": self.directory,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        answer = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, check=True, env=environment).stdout
        self.wfile.write(b"HTTP/1.0 200 OK\r\n" + answer)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves a folder; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
