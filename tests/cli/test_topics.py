from __future__ import annotations

import json
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from senryu.cli.buildpacks import added, replaced

from .conftest import Senryu, git
from .fake_api import EMAIL, FakeApi, Request, app, release

INSTALLATIONS = "/apps/myapp/buildpack-installations"


def installed(*names: str) -> list[dict[str, object]]:
    return [{"ordinal": at, "buildpack": {"name": name, "url": f"urn:buildpack:{name}"}} for at, name in enumerate(names)]


def test_positions_of_buildpacks_count_from_one() -> None:
    assert added(["a", "b"], "x", None) == ["a", "b", "x"]
    assert added(["a", "b"], "x", 1) == ["x", "a", "b"]
    assert added([], "x", 9) == ["x"]
    assert replaced(["a", "b"], "x", None) == ["x", "b"]
    assert replaced(["a", "b"], "x", 2) == ["a", "x"]
    assert replaced(["a"], "x", 5) == ["a", "x"]


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (["buildpacks:add", "c"], ["a", "b", "c"]),
        (["buildpacks:add", "-i", "1", "c"], ["c", "a", "b"]),
        (["buildpacks:set", "c", "--index", "2"], ["a", "c"]),
        (["buildpacks:remove", "a"], ["b"]),
        (["buildpacks:remove", "-i", "2"], ["a"]),
        (["buildpacks:clear"], []),
    ],
)
def test_buildpack_changes_send_the_whole_list(words: list[str], sent: list[str], api: FakeApi, senryu: Senryu) -> None:
    api.on(f"GET {INSTALLATIONS}", installed("a", "b"))
    api.on(f"PUT {INSTALLATIONS}", [])
    result = senryu(*words, "-a", "myapp")
    assert result.status == 0 and "Next release on myapp will" in result.out
    assert api.asked(f"PUT {INSTALLATIONS}")[0].json == {"updates": [{"buildpack": name} for name in sent]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["buildpacks:add", "a"], "already set"),
        (["buildpacks:remove", "z"], "no buildpack `z`"),
        (["buildpacks:remove", "-i", "3"], "no buildpack `3`"),
        (["buildpacks:remove"], "Which buildpack"),
        (["buildpacks:remove", "a", "-i", "1"], "but not both"),
    ],
)
def test_a_wrong_buildpack_change_is_refused(words: list[str], message: str, api: FakeApi, senryu: Senryu) -> None:
    api.on(f"GET {INSTALLATIONS}", installed("a", "b"))
    result = senryu(*words, "-a", "myapp")
    assert result.status == 1 and message in result.err
    assert api.asked(f"PUT {INSTALLATIONS}") == []


def test_buildpacks_are_listed(api: FakeApi, senryu: Senryu) -> None:
    for names, text in (((), "has no Buildpacks.\n"), (("a",), "Buildpack\n\na\n"), (("a", "b"), "Buildpacks\n\n1. a\n2. b\n")):
        api.on(f"GET {INSTALLATIONS}", installed(*names))
        assert senryu("buildpacks", "-a", "myapp").out.endswith(f"⬢ myapp {text}")


def test_domains(api: FakeApi, senryu: Senryu) -> None:
    own = {"hostname": "myapp.localhost", "kind": "heroku", "cname": None, "status": "none"}
    www = {"hostname": "www.example.com", "kind": "custom", "cname": "myapp.localhost", "status": "pending"}
    api.on("GET /apps/myapp/domains", [own, www, www | {"hostname": "example.com"}])
    out = senryu("domains", "-a", "myapp").out
    assert "=== ⬢ myapp Senryu Domain\n\nmyapp.localhost\n" in out
    assert " example.com      ALIAS or ANAME   myapp.localhost  undefined\n www.example.com  CNAME            myapp.localhost" in out
    api.on("POST /apps/myapp/domains", www, 201)
    result = senryu("domains:add", "www.example.com", "-a", "myapp")
    assert "DNS Target myapp.localhost" in result.err
    assert api.asked("POST /apps/myapp/domains")[0].json == {"hostname": "www.example.com"}
    for name in ("www.example.com", "example.com"):
        api.on(f"DELETE /apps/myapp/domains/{name}", {})
    assert senryu("domains:clear", "-a", "myapp").status == 0
    gone = [request.path.rpartition("/")[2] for request in api.requests if request.method == "DELETE"]
    assert gone == ["www.example.com", "example.com"]


def test_drains(api: FakeApi, senryu: Senryu) -> None:
    drain = {"url": "https://me:s3cret@logs.example.com/in", "token": "d.1", "id": "1", "addon": None}
    api.on("GET /apps/myapp/log-drains", [drain])
    assert senryu("drains", "-a", "myapp").out == "=== ⬢ myapp Drains\n\nhttps://me:****@logs.example.com/in (d.1)\n"
    api.on("GET /apps/myapp/log-drains", [])
    assert senryu("drains", "-a", "myapp").out == "⬢ myapp has no drains.\n"
    api.on("POST /apps/myapp/log-drains", drain, 201)
    assert senryu("drains:add", drain["url"], "-a", "myapp").out == "Successfully added drain https://me:****@logs.example.com/in\n"
    assert api.asked("POST /apps/myapp/log-drains")[0].json == {"url": drain["url"]}
    api.on("DELETE /apps/myapp/log-drains/https%3A%2F%2Flogs.example.com%2Fin", drain)
    assert senryu("drains:remove", "https://logs.example.com/in", "-a", "myapp").status == 0


def test_maintenance(api: FakeApi, senryu: Senryu) -> None:
    api.on("PATCH /apps/myapp", app())
    assert senryu("maintenance:on", "-a", "myapp").err == "Enabling maintenance mode for ⬢ myapp... done\n"
    assert senryu("maintenance:off", "-a", "myapp").err == "Disabling maintenance mode for ⬢ myapp... done\n"
    assert [request.json for request in api.requests] == [{"maintenance": True}, {"maintenance": False}]


def test_access(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/collaborators", [{"user": {"email": "bob@example.com"}}, {"user": {"email": EMAIL}, "role": "owner"}])
    assert senryu("access", "-a", "myapp").out == "=== ⬢ myapp Access\n\n ada@example.com  owner\n bob@example.com  collaborator\n"
    api.on("POST /apps/myapp/collaborators", {}, 201)
    api.on("DELETE /apps/myapp/collaborators/bob@example.com", {})
    assert senryu("access:add", "bob@example.com", "-a", "myapp").status == 0
    assert senryu("access:remove", "bob@example.com", "-a", "myapp").status == 0
    assert api.asked("POST /apps/myapp/collaborators")[0].json == {"user": "bob@example.com"}


def test_stacks(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /stacks", [{"name": "host", "state": "public", "default": True}, {"name": "bookworm", "state": "public"}])
    api.on("GET /apps/myapp", app(build_stack={"name": "bookworm"}))
    api.on("PATCH /apps/myapp", app(build_stack={"name": "bookworm"}))
    api.on("POST /senryu/stacks", {}, 201)
    assert "* host\n" in senryu("stack", "-a", "myapp").out
    assert "bookworm (active on next deploy)" in senryu("stack", "-a", "myapp").out
    assert "redeploy" in senryu("stack:set", "bookworm", "-a", "myapp").err
    assert senryu("stacks:import", "mine", "docker.io/library/debian:12").status == 0
    assert api.asked("POST /senryu/stacks")[0].json == {"name": "mine", "source": "docker.io/library/debian:12"}
    assert api.asked("PATCH /apps/myapp")[0].json == {"build_stack": "bookworm"}
    Path("rootfs").mkdir()
    senryu("stacks:import", "mine", "rootfs")
    assert api.asked("POST /senryu/stacks")[1].json["source"] == str(Path.cwd() / "rootfs")


def test_authorizations(api: FakeApi, senryu: Senryu) -> None:
    one = {"id": "a1", "description": "For CI", "scope": ["global"], "access_token": {"token": "t0k", "expires_in": None}}
    api.on("GET /oauth/authorizations", [one])
    api.on("POST /oauth/authorizations", one, 201)
    api.on("DELETE /oauth/authorizations/a1", one)
    assert senryu("authorizations").out == " For CI  a1  global\n"
    assert senryu("authorizations:create", "-d", "For CI", "--short").out == "t0k\n"
    assert api.asked("POST /oauth/authorizations")[0].json == {"description": "For CI", "scope": ["global"]}
    assert "done, revoked authorization from For CI" in senryu("authorizations:revoke", "a1").err


def test_regions(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /regions", [{"name": "local", "description": "This machine"}])
    assert "local  This machine" in senryu("regions").out
    assert json.loads(senryu("regions", "--json").out)[0]["name"] == "local"


def build(status: str, api: FakeApi) -> dict[str, object]:
    return {
        "id": "b1", "status": status, "output_stream_url": f"{api.url}/out", "created_at": "2020-01-02T03:04:05Z",
        "user": {"email": EMAIL}, "source_blob": {"version": "v1"}, "release": {"id": "r7"} if status == "succeeded" else None,
    }  # fmt: skip


@pytest.fixture
def builds(api: FakeApi) -> FakeApi:
    api.on("POST /sources", {"source_blob": {"put_url": f"{api.url}/put?sig=1", "get_url": f"{api.url}/get"}}, 201)
    api.on("PUT /put?sig=1", {})
    api.on("POST /apps/myapp/builds", build("pending", api), 201)
    api.on("GET /out", chunks=[b"-----> Python\n"])
    api.on("GET /apps/myapp/builds/b1", build("succeeded", api))
    api.on("GET /apps/myapp/releases/r7", release(7))
    return api


def sent(request: Request) -> dict[str, bytes]:
    with tarfile.open(fileobj=BytesIO(request.body), mode="r:gz") as archive:
        return {m.name: (f.read() if (f := archive.extractfile(m)) else b"") for m in archive.getmembers() if m.isfile()}


def test_a_folder_is_built_without_what_git_ignores(builds: FakeApi, senryu: Senryu, repository: Path) -> None:
    Path("app.py").write_text("print(1)")
    Path(".gitignore").write_text("secret\n")
    Path("secret").write_text("x")
    Path("gone").write_text("x")
    git("add", "gone")
    Path("gone").unlink()
    result = senryu("builds:create", "-a", "myapp", "--version", "v1")
    assert (result.status, result.out) == (0, "-----> Python\nReleased v7\n")
    put = builds.asked("PUT /put?sig=1")[0]
    assert sent(put) == {"app.py": b"print(1)", ".gitignore": b"secret\n"}
    assert "Authorization" not in put.headers
    assert builds.asked("POST /apps/myapp/builds")[0].json == {"source_blob": {"url": f"{builds.url}/get", "version": "v1"}}


def test_a_folder_outside_git_is_built_whole(builds: FakeApi, senryu: Senryu) -> None:
    Path("site/sub").mkdir(parents=True)
    Path("site/sub/index.html").write_text("hi")
    assert senryu("builds:create", "site", "-a", "myapp").status == 0
    assert sent(builds.asked("PUT /put?sig=1")[0]) == {"sub/index.html": b"hi"}


def test_a_failed_build_fails_the_command(builds: FakeApi, senryu: Senryu) -> None:
    Path("x").write_text("x")
    builds.on("GET /apps/myapp/builds/b1", build("failed", builds))
    assert senryu("builds:create", "-a", "myapp").status == 1


@pytest.mark.parametrize(("folder", "message"), [("nope", "`nope` is no folder"), (".", "has no files to build")])
def test_a_folder_that_cannot_be_built_is_named(folder: str, message: str, builds: FakeApi, senryu: Senryu) -> None:
    assert message in senryu("builds:create", folder, "-a", "myapp").err


def test_only_a_running_build_is_cancelled(builds: FakeApi, senryu: Senryu) -> None:
    builds.on("GET /apps/myapp/builds", [build("succeeded", builds)])
    assert "so there is nothing to cancel" in senryu("builds:cancel", "-a", "myapp").err
    builds.on("GET /apps/myapp/builds", [build("pending", builds)])
    builds.on("DELETE /apps/myapp/builds/b1", {})
    assert senryu("builds:cancel", "-a", "myapp").status == 0
    assert "b1  pending  v1" in senryu("builds", "-a", "myapp").out
