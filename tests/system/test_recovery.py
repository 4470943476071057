"""The platform's parts are killed and the machine is restarted: apps go on, or come back by themselves."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually
from .test_formation import Visitors
from .traces import kinds

SLOW = {"bin/post_compile": "#!/bin/sh\necho compiling slowly\nsleep 4\n"}
QUICK = {"bin/post_compile": "#!/bin/sh\n"}


def dyno_ids(app: App) -> dict[str, str]:
    """Which dynos run, by name."""
    return {name: str(dyno["id"]) for name, dyno in app.dynos().items()}


def container_pids(platform: Copy) -> set[str]:
    """The first processes of the dynos that run: another set means that one was restarted."""
    return {trace.split()[1] for trace in platform.traces() if trace.startswith("process") and "senryu/init" in trace}


@pytest.mark.parametrize("moment", ["Build started", "Build succeeded", "Release v3 created"])
def test_senryud_killed_in_the_middle_of_a_deploy_leaves_a_clean_state(app: App, platform: Copy, moment: str) -> None:
    app.commit(SLOW if moment == "Build started" else {})
    pushing = app.pushing()
    app.logged(moment)
    platform.kill("senryud")
    said, _ = pushing.communicate(timeout=120)
    platform.await_health()
    assert app.visit().status == 200
    if pushing.returncode == 0:
        eventually(lambda: app.visit().text.endswith("v3\n"), "the release that was said to be made")
    eventually(lambda: app.states() == {"web.1": "up"}, "one web dyno")
    said_again = app.deploy(QUICK)
    assert "Released v" in said_again, (said, said_again)
    version = said_again.split("Released ")[1].split()[0]
    eventually(lambda: app.visit().text == f"Hello from Senryu, release {version}\n", "the next release")
    assert "pending" not in app.senryu("builds").stdout
    assert not [trace for trace in platform.traces() if "/flow/build.sh" in trace]


def test_senryud_killed_lets_apps_serve_on_without_a_failed_request(app: App, platform: Copy) -> None:
    before, processes = dyno_ids(app), container_pids(platform)
    with Visitors(app) as visitors:
        platform.kill("senryud")
        platform.await_health()
        eventually(lambda: dyno_ids(app) == before, "the same dynos")
    assert not visitors.failed()
    assert container_pids(platform) == processes
    log = app.log()
    assert log.count("listening on port") == 1 and log.count("Build succeeded") == 1


def test_the_agent_killed_lets_dynos_run_on_and_is_back_for_new_ones(app: App, platform: Copy) -> None:
    before, processes = dyno_ids(app), container_pids(platform)
    with Visitors(app) as visitors:
        platform.kill("agent")
        app.senryu("ps:scale", "web=2")
        eventually(lambda: app.states() == {"web.1": "up", "web.2": "up"}, "another dyno")
    assert not visitors.failed()
    assert dyno_ids(app)["web.1"] == before["web.1"]
    assert processes < container_pids(platform)


def test_the_router_killed_is_back_within_seconds_with_every_route(app: App, make_app: NewApp, platform: Copy) -> None:
    blank, before = make_app(), container_pids(platform)
    app.senryu("domains:add", f"www.{app.name}.example")
    eventually(lambda: platform.visit(f"www.{app.name}.example").status == 200, "the domain")
    # Changes are in the files it starts from a moment later; what is younger comes with the platform's next look.
    eventually(lambda: app.name in (platform.home / "router/hosts.map").read_text().partition("www.")[2], "the saved domain")
    platform.kill("router")
    eventually(lambda: app.visit().status == 200, "the app", within_s=15)
    assert platform.visit(f"www.{app.name}.example").status == 200
    eventually(lambda: "Nothing here yet" in blank.visit().text, "the blank app", within_s=15)
    assert container_pids(platform) == before
    assert app.deploy().count("Released v3") == 1
    assert app.visit().text.endswith("v3\n")


def test_a_second_senryud_refuses_and_the_first_serves_on(app: App, platform: Copy) -> None:
    """Catalogue A10. It is begun as the service begins it. The agent: tests/engines/test_recovery.py."""
    before, first = dyno_ids(app), platform.pid("senryud")
    second = ["/bin/sh", str(platform.home / "services/senryud/run")]
    done = subprocess.run(second, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert f"another senryud already serves {platform.home}" in done.stdout
    assert platform.pid("senryud") == first
    assert "Released v3" in app.deploy()
    assert dyno_ids(app) != before


def test_the_services_stopped_and_started_find_the_same_dynos(app: App, platform: Copy) -> None:
    app.visit("/before")
    log = app.logged('path="/before"')
    before, processes = dyno_ids(app), container_pids(platform)
    platform.stop()
    assert container_pids(platform) == processes
    platform.start()
    eventually(lambda: app.visit().status == 200, "the app")
    assert dyno_ids(app) == before
    assert container_pids(platform) == processes
    assert app.log().startswith(log)


def test_after_a_restart_of_the_machine_every_app_comes_back_by_itself(app: App, make_app: NewApp, platform: Copy) -> None:
    other = make_app("worker-procfile")
    other.push()
    other.senryu("ps:scale", "web=2", "worker=1")
    everything = {"web.1": "up", "web.2": "up", "worker.1": "up"}
    eventually(lambda: other.states() == everything, "all dynos")
    log = app.log()
    platform.stop()
    assert kinds(platform.traces()) >= {"process", "link", "nftables", "cgroup", "mount", "loop", "claim"}
    platform.cleanup()
    eventually(lambda: not platform.traces(), "the machine without the platform")
    platform.start()
    eventually(lambda: app.visit().text == "Hello from Senryu, release v2\n", "the app")
    eventually(lambda: other.visit().status == 200, "the other app")
    eventually(lambda: other.states() == everything, "all dynos again")
    assert app.log().startswith(log)
    assert "Released v3" in app.deploy()
