"""Starting one dyno: engine call → its process runs. `python bench/dyno_start.py [starts]`.

Beside it, one after the other in each round: a plain process, `runc run` of a bundle, and `docker run -d` of a container that sleeps, with
a network and an init like a dyno's, when Debian's docker.io is installed.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from docker_beside import IMAGE, Docker, docker_daemon
from stand import Copy, median_ms, print_table, run_to_end, running_platform, timed_ms

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


def main(starts: int) -> None:
    samples: dict[str, list[float]] = {name: [] for name in ("plain process", "runc run", "dyno", "docker run")}
    with running_platform() as copy, docker_daemon() as docker, tempfile.TemporaryDirectory() as folder:
        place = bundle(Path(folder) / "bundle")
        for number in range(starts):
            samples["plain process"].append(timed_ms(lambda: run_to_end("/usr/bin/true")))
            command = ("runc", "--root", f"{folder}/runc", "run", "--bundle", str(place), f"bench-{number}-{uuid4().hex[:6]}")
            samples["runc run"].append(timed_ms(lambda command=command: run_to_end(*command)))  # type: ignore[misc]
            samples["dyno"].append(asyncio.run(started_ms(copy)))
            if isinstance(docker, Docker):
                samples["docker run"].append(timed_ms(lambda: docker("run", "-d", "--init", IMAGE, "sleep", "1000")))
                docker("rm", "-f", docker("ps", "-q"))
            time.sleep(0.3)  # the agent makes the next disk ready meanwhile, as between real starts
    dyno = statistics.median(samples["dyno"])
    rows = [(name, median_ms(taken), f"{dyno / statistics.median(taken):.2f}") for name, taken in samples.items() if taken]
    if isinstance(docker, str):
        rows.append(("docker run", f"not measured: {docker}", ""))
    print_table(f"Dyno start, {starts} times (target 80 ms)", ("what", "ms: median (least-most)", "dyno ÷ this"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
