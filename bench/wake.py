"""Waking a sleeping app: a visitor's request → its answer, the boot included. `python bench/wake.py [wakes]`.

The app says that it listens 0.3 s after its process began, as a small web app does. Beside it: the same app when it is awake.
"""

from __future__ import annotations

import statistics
import sys
import time

from stand import App, eventually, median_ms, new_app, person_on, print_table, running_platform, timed_ms

BOOTS_S = 0.3
SERVER = f"""\
import http.server, os, time
ticks = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])
age_s = float(open("/proc/uptime").read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"awake")
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Page, bind_and_activate=False)
time.sleep(max(0.0, {BOOTS_S} - age_s))
server.server_bind()
server.server_activate()
server.serve_forever()
"""
SIZE = ("sizes:set", "nap", "memory=512m", "sleep=2", "hours=1000", "exclusive=yes")


def woken_ms(app: App) -> float:
    """Milliseconds of one request to the app asleep."""
    eventually(lambda: app.states() == {"web.1": "idle"}, "sleep")
    time.sleep(1.0)  # its end has settled; the agent has the next disk ready, as between real wakes

    def visit() -> None:
        answer = app.visit()
        assert answer.status == 200, answer

    return timed_ms(visit)


def main(wakes: int) -> None:
    with running_platform() as copy, person_on(copy) as person:
        files = {"Procfile": "web: python server.py\n", "server.py": SERVER, "requirements.txt": ""}
        with new_app(person, files) as app:
            app.push()
            awake = [timed_ms(app.visit) for _ in range(wakes)]
            person.senryu(*SIZE)
            app.senryu("ps:type", "nap")
            woken_ms(app)
            woken = sorted(woken_ms(app) for _ in range(wakes))
        p95 = woken[min(len(woken) - 1, round(0.95 * len(woken)) - 1)] if len(woken) > 1 else woken[0]
        rows = [
            ("request to the app asleep", median_ms(woken), f"{p95:.0f}"),
            ("of which the app boots", f"{BOOTS_S * 1000:.0f}", ""),
            ("request to the app awake", median_ms(awake), f"{statistics.quantiles(awake, n=20)[-1]:.1f}" if len(awake) > 1 else ""),
        ]
        print_table(f"Wake, {wakes} times (target: p95 of 1000 ms)", ("what", "ms: median (least-most)", "p95 ms"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
