"""Changing an app's route with 1 and with 1,000 apps configured. `python bench/route_change.py [changes]`.

A change is what a deploy does: a new dyno comes in beside the old one (add), then takes over (switch).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID, uuid4

from router import haproxy
from stand import median_ms, print_table

from senryu.core.route import Route, RouteMode, RouteTarget
from senryu.routers.haproxy import HAProxyRouter, RouterSettings, write_start_files
from system.rig import free_ports


def route(app_id: UUID, number: int, targets: tuple[RouteTarget, ...]) -> Route:
    return Route(app_id, f"app-{number}", (f"app-{number}.localhost",), RouteMode.SERVE, targets)


def target(number: int) -> RouteTarget:
    return RouteTarget(uuid4(), "web.1", f"127.0.0.1:{10_000 + number}")


async def changed_ms(settings: RouterSettings, apps: int, changes: int) -> dict[str, list[float]]:
    """Milliseconds of each kind of change, on the app in the middle."""
    taken: dict[str, list[float]] = {"add": [], "switch": []}
    async with HAProxyRouter(settings) as router:
        ids = [uuid4() for _ in range(apps)]
        for number, app_id in enumerate(ids):
            await router.apply(route(app_id, number, (target(number),)))
        middle, old = apps // 2, target(1)
        await router.apply(route(ids[middle], middle, (old,)))
        for number in range(changes):
            new = target(number)
            for kind, targets in (("add", (old, new)), ("switch", (new,))):
                began = time.perf_counter()
                await router.apply(route(ids[middle], middle, targets))
                taken[kind].append((time.perf_counter() - began) * 1000)
            old = new
            await asyncio.sleep(0.05)
    return taken


def main(changes: int) -> None:
    rows = []
    for apps in (1, 1000):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
            port, tls_port = free_ports(2)
            home = Path(name)
            settings = RouterSettings(home=home, port=port, tls_port=tls_port, listen=("127.0.0.1",), slots=max(128, apps))
            write_start_files(settings)
            with haproxy(settings.config, settings.log):
                for kind, taken in asyncio.run(changed_ms(settings, apps, changes)).items():
                    rows.append((apps, kind, median_ms(taken)))
    print_table(f"Route change, {changes} times (target 10 ms, no reload)", ("apps", "change", "ms: median (least-most)"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
