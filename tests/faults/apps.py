"""Apps with manners, good and bad."""

from __future__ import annotations

_SERVER = '''\
"""Answers every request with the release, after `ms` milliseconds if asked. What SIGTERM does is MANNERS."""
import asyncio, os, signal
from urllib.parse import parse_qs, urlsplit

MANNERS = "{manners}"


def fill(mebibytes):
    """Writes a file to the dyno's own disk; gives what came of it."""
    try:
        with open("/tmp/more", "wb") as file:
            for _ in range(mebibytes):
                file.write(os.urandom(1 << 20))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return b"no: " + str(error).encode()
    return b"yes"


async def answer(reader, writer):
    try:
        while head := await reader.readuntil(b"\\r\\n\\r\\n"):
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\\r\\n")[1:] if b": " in line)
            sent = await reader.readexactly(int(fields.get(b"content-length", b"0")))
            query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
            await asyncio.sleep(int(query.get("ms", ["0"])[0]) / 1000)
            if "fill" in query:
                sent += fill(int(query["fill"][0]))
            body = (os.environ["HEROKU_RELEASE_VERSION"] + " " + os.environ.get("COLOUR", "none") + " {mark}\\n").encode() + sent
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body))
            await asyncio.sleep(0)
            writer.write(body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(answer, "0.0.0.0", int(os.environ["PORT"]), backlog=512)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    if MANNERS == "polite":
        loop.add_signal_handler(signal.SIGTERM, told.set)
    elif MANNERS == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("listening", flush=True)
    await told.wait()
    server.close()
    await asyncio.sleep(0.3)


asyncio.run(main())
'''


def files(manners: str, mark: str = "first") -> dict[str, str]:
    """An app. `manners`: `polite` ends after SIGTERM, `deaf` ignores it, `rude` is gone at once with its visitors' answers half given."""
    return {
        "requirements.txt": "",
        "Procfile": "web: python3 app.py\nworker: sleep 100000\n",
        "app.py": _SERVER.replace("{manners}", manners).replace("{mark}", mark),
    }


_TELLER = '''\
import http.server, json, os


class Teller(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Teller).serve_forever()
'''


def teller() -> dict[str, str]:
    """An app that answers every request with its environment."""
    return {"requirements.txt": "", "Procfile": "web: python3 app.py\n", "app.py": _TELLER}
