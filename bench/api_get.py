"""`GET /apps/:app` at a steady rate. `python bench/api_get.py [requests/s] [seconds]`.

Open loop: a request is sent when it is due, whether or not those before have been answered; a late answer counts from when it was due.
All in all it stays below the 4,500 requests an hour that a token has.
"""

from __future__ import annotations

import asyncio
import netrc
import sys
import time

from stand import Copy, new_app, person_on, print_table, running_platform

WARM_S = 2


async def load(copy: Copy, path: str, token: str, per_s: int, seconds: float) -> list[float]:
    """Milliseconds of each answer, over eight connections that stay open."""
    due: asyncio.Queue[float | None] = asyncio.Queue(per_s * 10)
    took: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", copy.port)
        ask = (
            f"GET {path} HTTP/1.1\r\nHost: localhost:{copy.port}\r\nAuthorization: Bearer {token}\r\n"
            "Accept: application/vnd.heroku+json; version=3\r\n\r\n"
        ).encode()
        while (at := await due.get()) is not None:
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head, head
            length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length"))
            await reader.readexactly(length)
            took.append((time.perf_counter() - at) * 1000)
        writer.close()

    clients = [asyncio.create_task(client()) for _ in range(8)]
    began = time.perf_counter()
    for number in range(int(per_s * seconds)):
        at = began + number / per_s
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait(at)
    for _ in clients:
        due.put_nowait(None)
    await asyncio.gather(*clients)
    return took[per_s * WARM_S :]


def main(per_s: int, seconds: float) -> None:
    rows = []
    with running_platform() as copy, person_on(copy) as person, new_app(person) as app:
        [found] = {login[2] for login in netrc.netrc(str(person.home / ".netrc")).hosts.values()}
        for path, rounds in (("/senryu/health", 2), (f"/apps/{app.name}", 2), (f"/apps/{app.name}/dynos", 1)):
            for round_number in range(rounds):
                took = sorted(asyncio.run(load(copy, path, found, per_s, seconds + WARM_S)))
                p50, p99 = (took[int(len(took) * share)] for share in (0.5, 0.99))
                rows.append((path.replace(app.name, ":app"), round_number + 1, len(took), f"{p50:.2f}", f"{p99:.2f}", f"{took[-1]:.1f}"))
    print_table(f"Platform API at {per_s} requests/s (target p99 10 ms)", ("path", "run", "answers", "p50 ms", "p99 ms", "most ms"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, float(sys.argv[2]) if len(sys.argv) > 2 else 10.0)
