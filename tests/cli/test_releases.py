from __future__ import annotations

from .conftest import Senryu
from .fake_api import EMAIL, FakeApi, release

LIST = "GET /apps/myapp/releases"


def test_releases_are_listed_with_their_state(api: FakeApi, senryu: Senryu) -> None:
    api.on(LIST, [release(10, status="failed"), release(9, current=True), release(8)], 206)
    lines = senryu("releases", "-n", "3", "-a", "myapp").out.splitlines()
    assert lines[0] == "=== ⬢ myapp Releases - Current: v9"
    assert lines[2].startswith(f" v10  Deploy 0000010 (release failed)  {EMAIL}  2020/01/02")
    assert lines[3].startswith(" v9   Deploy 0000009  ")
    assert api.asked(LIST)[0].headers["Range"] == "version ..; order=desc,max=3"


def test_info_shows_a_release_and_its_config(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/releases/9", release(9))
    api.on("GET /apps/myapp/releases/9/config-vars", {"B": "2 3", "A": "1"})
    out = senryu("releases:info", "v9", "-a", "myapp").out
    assert "=== Release v9" in out and f"By:     {EMAIL}" in out and "=== v9 Config vars\n\nA: 1\nB: 2 3\n" in out
    assert senryu("releases:info", "9", "-s", "-a", "myapp").out == "A=1\nB='2 3'\n"


def test_info_shows_where_the_time_of_a_deploy_went(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/releases/9", release(9, timing={"total_s": 1.2345, "compile_s": 0.1, "to_come_s": 3.0}))
    api.on("GET /apps/myapp/releases/9/config-vars", {})
    out = senryu("releases:info", "v9", "--timing", "-a", "myapp").out
    assert out == "=== Release v9 Timing\n\n detect and compile         100 ms\n from source to serving   1,234 ms\n"


def test_info_says_that_a_config_change_has_no_timing(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/releases/9", release(9, timing=None))
    api.on("GET /apps/myapp/releases/9/config-vars", {})
    result = senryu("releases:info", "v9", "--timing", "-a", "myapp")
    assert (result.status, result.out) == (0, "")
    assert "v9 has no timing" in result.err


def test_rollback_without_a_version_takes_the_release_before_the_current_one(api: FakeApi, senryu: Senryu) -> None:
    api.on(LIST, [release(10, status="failed", eligible_for_rollback=False), release(9, current=True), release(8)], 206)
    api.on("POST /apps/myapp/releases", release(11), 201)
    result = senryu("rollback", "-a", "myapp")
    assert (result.status, result.err.splitlines()[0]) == (0, "Rolling back ⬢ myapp to v8... done, v11")
    assert api.asked("POST /apps/myapp/releases")[0].json == {"release": release(8)["id"]}


def test_rollback_to_a_named_release(api: FakeApi, senryu: Senryu) -> None:
    api.on("GET /apps/myapp/releases/3", release(3))
    api.on("POST /apps/myapp/releases", release(11), 201)
    assert "Rolling back ⬢ myapp to v3... done, v11" in senryu("releases:rollback", "v3", "-a", "myapp").err


def test_rollback_of_a_first_release_says_there_is_none_before(api: FakeApi, senryu: Senryu) -> None:
    api.on(LIST, [release(1, current=True)], 206)
    result = senryu("rollback", "-a", "myapp")
    assert (result.status, result.err.splitlines()[0]) == (2, "error: myapp has no earlier release to go back to")


def test_a_name_that_is_no_release_is_refused_before_asking(api: FakeApi, senryu: Senryu) -> None:
    result = senryu("rollback", "yesterday", "-a", "myapp")
    assert (result.status, api.requests) == (1, [])
    assert "`yesterday` is no release" in result.err


def test_a_rollback_streams_its_release_command_and_fails_with_it(api: FakeApi, senryu: Senryu) -> None:
    api.on(LIST, [release(9, current=True), release(8)], 206)
    api.on("POST /apps/myapp/releases", release(11, output_stream_url=f"{api.url}/out/11", status="pending"), 201)
    api.on("GET /out/11", b"", 404)
    api.then("GET /out/11", chunks=[b"migrating\n", b"boom\n"])
    api.on("GET /apps/myapp/releases/11", release(11, status="failed"))
    result = senryu("rollback", "-a", "myapp")
    assert (result.status, result.out) == (2, "migrating\nboom\n")
    assert "v11 failed: its release command failed; myapp keeps the release before it" in result.err
    assert "Authorization" not in api.asked("GET /out/11")[0].headers


def test_output_of_a_release(api: FakeApi, senryu: Senryu) -> None:
    api.on(LIST, [release(9, output_stream_url=f"{api.url}/out/9")], 206)
    api.on("GET /out/9", chunks=[b"raw \xff bytes\n"])
    assert senryu("releases:output", "-a", "myapp").status == 0
    api.on(LIST, [release(9)], 206)
    assert "has no release command output" in senryu("releases:output", "-a", "myapp").err
