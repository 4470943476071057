"""Starting one dyno: engine call → its process runs. `python bench/dyno_start.py [starts]`.

Beside it, one after the other in each round: a plain process, `runc run` of a bundle, and `docker run` when a docker daemon answers.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from stand import Copy, median_ms, print_table, running_platform, timed_ms

from senryu.core.dyno import BASE_ENV, DynoKind, DynoOrder
from senryu.core.limits import DYNO_DISK_BYTES, MIB
from senryu.core.stack import HOST
from senryu.engines.container import ContainerEngine


def dyno_order() -> DynoOrder:
    """A dyno that sleeps."""
    return DynoOrder(
        id=uuid4(), app_id=uuid4(), app_name="bench", name="worker.1", kind=DynoKind.BUILD, command="exec sleep 1000", env=BASE_ENV,
        slug=None, stack=HOST, memory_bytes=512 * MIB, cpu_shares=100, pids=256, disk_bytes=DYNO_DISK_BYTES,
    )  # fmt: skip


async def started_ms(copy: Copy) -> float:
    """Milliseconds of one start through the agent; the dyno is removed again."""
    async with ContainerEngine(copy.home) as engine:
        order = dyno_order()
        began = time.perf_counter()
        await engine.start(order)
        taken = (time.perf_counter() - began) * 1000
        await engine.remove(order.id)
    return taken


def bundle(folder: Path) -> Path:
    """The least a runc bundle needs: `true` on the machine's own /usr."""
    (folder / "rootfs").mkdir(parents=True)
    subprocess.run(["runc", "spec"], cwd=folder, check=True, timeout=30)
    wanted = json.loads((folder / "config.json").read_text())
    wanted["process"] |= {"terminal": False, "args": ["/usr/bin/true"]}
    for place in ("usr", "bin", "lib", "lib64"):
        (folder / "rootfs" / place).mkdir()
        wanted["mounts"].append({"destination": f"/{place}", "type": "bind", "source": f"/{place}", "options": ["rbind", "ro"]})
    (folder / "config.json").write_text(json.dumps(wanted))
    return folder


def docker() -> tuple[Callable[[], object] | None, str]:
    """How to run a container with docker, or why that is not measured."""
    if shutil.which("docker") is None:
        return None, "no docker here"
    if subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False).returncode != 0:
        return None, "docker is installed, but no daemon answers"
    listed = subprocess.run(["docker", "images", "-q"], capture_output=True, text=True, timeout=20, check=True).stdout.split()
    if not listed:
        return None, "docker has no image, and no registry can be reached"
    return lambda: subprocess.run(["docker", "run", "--rm", listed[0], "true"], capture_output=True, timeout=60, check=True), ""


def main(starts: int) -> None:
    run_docker, why_not = docker()
    samples: dict[str, list[float]] = {name: [] for name in ("plain process", "runc run", "dyno", "docker run")}
    with running_platform() as copy, tempfile.TemporaryDirectory() as folder:
        place = bundle(Path(folder) / "bundle")
        for number in range(starts):
            samples["plain process"].append(timed_ms(lambda: subprocess.run(["/usr/bin/true"], check=True, timeout=30)))
            command = ["runc", "--root", f"{folder}/runc", "run", "--bundle", str(place), f"bench-{number}-{uuid4().hex[:6]}"]
            samples["runc run"].append(timed_ms(lambda command=command: subprocess.run(command, check=True, timeout=30)))  # type: ignore[misc]
            samples["dyno"].append(asyncio.run(started_ms(copy)))
            if run_docker:
                samples["docker run"].append(timed_ms(run_docker))
            time.sleep(0.3)  # the agent makes the next disk ready meanwhile, as between real starts
    dyno = statistics.median(samples["dyno"])
    rows = [(name, median_ms(taken), f"{dyno / statistics.median(taken):.2f}") for name, taken in samples.items() if taken]
    if why_not:
        rows.append(("docker run", f"not measured: {why_not}", ""))
    print_table(f"Dyno start, {starts} times (target 80 ms)", ("what", "ms: median (least-most)", "dyno ÷ this"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
