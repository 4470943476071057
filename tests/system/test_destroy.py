"""Nothing of a destroyed app stays. Source: Dev Center, creating-apps."""

from __future__ import annotations

from pathlib import Path

from below import below

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually
from .traces import traces


def files_with(platform: Copy, *names: str) -> set[Path]:
    """What lies below the platform's home and carries one of the names; the program itself is not looked at."""
    kept = [top for top in platform.home.iterdir() if top.name not in ("venv", "services", "tools")]
    return {path for top in kept for path in (top, *below(top)) if any(name in path.name for name in names)}


def slugs(platform: Copy) -> set[str]:
    """The stored slugs."""
    return {path.name for path in below(platform.home / "blobs") if path.is_file()}


def dyno_processes(platform: Copy) -> set[str]:
    """Dynos and their shims that run."""
    return {trace for trace in platform.traces() if trace.startswith("process") and ("conmon" in trace or "senryu/init" in trace)}


def test_a_destroyed_app_leaves_no_dyno_route_repository_slug_log_or_record(make_app: NewApp, platform: Copy) -> None:
    slugs_before = slugs(platform)
    processes_before = dyno_processes(platform)
    app = make_app()
    app.commit({"unique.txt": app.name})
    app.push()
    app.senryu("config:set", "A=1")
    app.visit()
    app_id, dyno_ids = app.id(), [str(dyno["id"]) for dyno in app.dynos().values()]
    assert slugs(platform) - slugs_before
    assert files_with(platform, app_id) and files_with(platform, *dyno_ids)
    _refuses_without_its_name(app)
    app.owner.senryu("apps:destroy", "-a", app.name, "--confirm", app.name)
    assert app.visit().status == 404
    assert app.senryu("logs", check=False).returncode != 0
    assert app.push("main:master", check=False).returncode != 0
    eventually(lambda: not files_with(platform, app_id, *dyno_ids), "the end of the app's files")
    eventually(lambda: slugs(platform) <= slugs_before, "the end of the app's slug")
    eventually(lambda: dyno_processes(platform) <= processes_before, "the end of the app's dynos")
    assert not traces(platform.home / app_id, None)


def _refuses_without_its_name(app: App) -> None:
    refused = app.owner.senryu("apps:destroy", "-a", app.name, "--confirm", "another-name", check=False)
    assert refused.returncode != 0
    assert app.visit().status == 200


def test_a_destroyed_apps_name_can_be_taken_again(make_app: NewApp) -> None:
    app = make_app()
    app.push()
    app.owner.senryu("apps:destroy", "-a", app.name, "--confirm", app.name)
    app.owner.senryu("create", app.name, cwd=app.folder)
    assert app.git("ls-remote", "senryu").stdout == ""
    assert "Released v2" in app.push().stderr
    assert app.log().count("Initial release") == 1
