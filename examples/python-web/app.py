"""A web app that needs nothing but Python: answers "/" and ends politely on SIGTERM."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = "Hello from Senryu"


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "python-web"

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == "/":
            self.answer(200, f"{GREETING}, release {os.environ.get('HEROKU_RELEASE_VERSION', 'unknown')}\n")
        else:
            self.answer(404, "There is nothing here.\n")

    do_HEAD = do_GET

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False  # a request that has begun is answered before the program ends
    block_on_close = True


def main() -> None:
    server = Server(("0.0.0.0", int(os.environ.get("PORT", "5000"))), Page)
    Page.timeout = 5  # an idle keep-alive connection must not hold up the end

    def stop(*_: object) -> None:
        print("SIGTERM: finishing the requests under way", flush=True)
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    print("bye", flush=True)


if __name__ == "__main__":
    main()
