"""The Go buildpack over the stack's Go, with a module proxy on loopback where one is needed."""

from __future__ import annotations

import http.server
import io
import platform
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import ROOT, BuildpackRun, BuildpackRunner, write_tree

GoRunner = Callable[[Path | Mapping[str, str]], BuildpackRun]
EXAMPLE = ROOT / "examples" / "go-web"
STAMPED = "package main\n\nvar version = \"none\"\n\nfunc main() { println(version) }\n"
needs_go = pytest.mark.skipif(not shutil.which("go", path="/usr/bin"), reason="needs the stack's Go (Debian: golang-go)")


@pytest.fixture(scope="module")
def build_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Go's own build cache for the whole file: compiling the runtime for each test takes seconds."""
    return tmp_path_factory.mktemp("go-build")


@pytest.fixture
def go_run(buildpack_run: BuildpackRunner, build_cache: Path) -> GoRunner:
    def prepare(source: Path | Mapping[str, str]) -> BuildpackRun:
        run = buildpack_run("go", source)
        (run.cache / "go").mkdir()
        (run.cache / "go/build").symlink_to(build_cache)
        return run

    return prepare


def module(name: str = "example.com/shop", go: str = "1.19", more: str = "") -> str:
    return f"module {name}\n\ngo {go}\n{more}"


def program(word: str) -> str:
    return f'package main\n\nfunc main() {{ println("{word}") }}\n'


@contextmanager
def module_proxy(files: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A module proxy with these paths; gives its address and the list of what was asked."""
    asked: list[str] = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: pytest shows what matters."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join(timeout=10)


def zipped(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


GREETING_MODULE = {
    "/example.org/greeting/@v/v1.0.0.info": b'{"Version":"v1.0.0"}',
    "/example.org/greeting/@v/v1.0.0.mod": b"module example.org/greeting\n\ngo 1.19\n",
    "/example.org/greeting/@v/v1.0.0.zip": zipped({
        "example.org/greeting@v1.0.0/go.mod": "module example.org/greeting\n\ngo 1.19\n",
        "example.org/greeting@v1.0.0/greeting.go": 'package greeting\n\nconst Text = "good day"\n',
    }),
}
USES_GREETING = {
    "go.mod": module(more="\nrequire example.org/greeting v1.0.0\n"),
    "main.go": 'package main\n\nimport "example.org/greeting"\n\nfunc main() { println(greeting.Text) }\n',
}


def said_by(binary: object) -> str:
    return subprocess.run([str(binary)], capture_output=True, text=True, check=True, timeout=10).stderr.strip()


def test_an_app_with_go_mod_is_detected_as_go(buildpack_run: BuildpackRunner) -> None:
    answer = buildpack_run("go", {"go.mod": ""}).detect()
    assert (answer.returncode, answer.stdout) == (0, "Go\n")


def test_an_app_without_go_mod_is_not_detected(buildpack_run: BuildpackRunner) -> None:
    assert buildpack_run("go", {"main.go": ""}).detect().returncode == 1


@needs_go
@pytest.mark.system
def test_the_example_answers_and_an_unchanged_redeploy_compiles_nothing(buildpack_run: BuildpackRunner) -> None:
    run = buildpack_run("go", EXAMPLE)
    build = run.compile()
    assert build.returncode == 0, build.stdout
    assert run.release().stdout == "---\ndefault_process_types:\n  web: bin/go-web\n"
    with run.started("exec go-web", GREETING="Good <day>") as app:
        assert b"<h1>Good &lt;day&gt;</h1>" in app.get("/").body
        assert app.get("/nothing").status == 404
        assert app.terminate() == 0
    run.replace_app(EXAMPLE)
    again = run.compile()
    assert "net/http" in build.stdout and "net/http" not in again.stdout
    assert (run.app / "bin/go-web").exists()


@needs_go
def test_the_modules_own_program_is_the_web_process_among_several(go_run: GoRunner) -> None:
    files = {"go.mod": module(), "cmd/shop/main.go": program("shop"), "cmd/clock/main.go": program("clock")}
    run = go_run(files)
    assert run.compile().returncode == 0
    assert sorted(path.name for path in (run.app / "bin").iterdir()) == ["clock", "shop"]
    assert "web: bin/shop" in run.release().stdout


@needs_go
@pytest.mark.parametrize("by_config", [True, False])
def test_only_the_packages_asked_for_are_built(go_run: GoRunner, by_config: bool) -> None:
    comment = "" if by_config else "\n// +heroku install ./cmd/b\n"
    files = {"go.mod": module(more=comment), "cmd/a/main.go": program("a"), "cmd/b/main.go": program("b")}
    run = go_run(files)
    run.config = {"GO_INSTALL_PACKAGE_SPEC": "./cmd/b"} if by_config else {}
    assert run.compile().returncode == 0
    assert [path.name for path in (run.app / "bin").iterdir()] == ["b"]
    assert "web: bin/b" in run.release().stdout


@needs_go
def test_a_version_is_stamped_into_the_program(go_run: GoRunner) -> None:
    run = go_run({"go.mod": module(), "main.go": STAMPED})
    run.config = {"GO_LINKER_SYMBOL": "main.version", "GO_LINKER_VALUE": "v7"}
    assert run.compile().returncode == 0
    assert said_by(run.app / "bin/shop") == "v7"


@needs_go
def test_modules_come_from_the_proxy_once(go_run: GoRunner) -> None:
    with module_proxy(GREETING_MODULE) as (url, asked):
        run = go_run(USES_GREETING)
        # A module proxy of one's own is nowhere in the public checksum database.
        run.config = {"GOPROXY": url, "GONOSUMDB": "example.org", "GOFLAGS": "-mod=mod"}
        build = run.compile()
        assert build.returncode == 0, build.stdout
        assert said_by(run.app / "bin/shop") == "good day"
        asked.clear()
        shutil.rmtree(run.app)
        write_tree(run.app, USES_GREETING)
        assert run.compile().returncode == 0
        assert asked == []


@needs_go
def test_vendored_modules_need_no_proxy(go_run: GoRunner) -> None:
    vendored = {
        "vendor/modules.txt": "# example.org/greeting v1.0.0\n## explicit; go 1.19\nexample.org/greeting\n",
        "vendor/example.org/greeting/greeting.go": 'package greeting\n\nconst Text = "from vendor"\n',
    }
    run = go_run({**USES_GREETING, **vendored})
    run.config = {"GOPROXY": "http://127.0.0.1:9"}
    build = run.compile()
    assert build.returncode == 0, build.stdout
    assert "       Using the modules in vendor/\n" in build.stdout
    assert said_by(run.app / "bin/shop") == "from vendor"


@needs_go
def test_a_proxy_that_cannot_be_reached_is_named_with_the_ways_out(go_run: GoRunner) -> None:
    run = go_run(USES_GREETING)
    run.config = {"GOPROXY": "http://127.0.0.1:9"}
    build = run.compile()
    assert build.returncode == 1
    assert " !     A module could not be downloaded: http://127.0.0.1:9 cannot be reached (see above)." in build.stdout
    assert "go mod vendor" in build.stdout


@needs_go
def test_a_newer_go_than_the_stacks_is_explained_when_no_proxy_answers(go_run: GoRunner) -> None:
    run = go_run({"go.mod": module(go="1.99"), "main.go": program("x")})
    run.config = {"GOPROXY": "http://127.0.0.1:9"}
    build = run.compile()
    assert build.returncode == 1
    assert " !     go.mod asks for Go 1.99; the stack has 1." in build.stdout
    assert "Lower the `go` line of go.mod to 1." in build.stdout


@needs_go
def test_a_newer_go_is_fetched_from_the_proxy_and_kept(go_run: GoRunner) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    name = f"v0.0.1-go1.99.0.linux-{machine}"
    # Stands in for the release: the stack's Go under the newer toolchain's name.
    stand_in = '#!/bin/sh\nunset GOROOT\n[ "$1" != env ] || { echo go1.99.0; exit; }\nexec /usr/bin/go "$@"\n'
    archive = zipped({f"golang.org/toolchain@{name}/bin/go": stand_in})
    with module_proxy({f"/golang.org/toolchain/@v/{name}.zip": archive}) as (url, asked):
        run = go_run({"go.mod": module(go="1.99"), "main.go": program("newer")})
        run.config = {"GOPROXY": f"direct,{url}"}
        build = run.compile()
        assert build.returncode == 0, build.stdout
        assert "       Using Go 1.99.0 from the module proxy\n" in build.stdout
        assert said_by(run.app / "bin/shop") == "newer"
        asked.clear()
        assert run.compile().returncode == 0
        assert asked == []


@needs_go
def test_a_compile_error_is_shown_and_fails_the_build(go_run: GoRunner) -> None:
    build = go_run({"go.mod": module(), "main.go": "package main\n\nfunc main() { nothing() }\n"}).compile()
    assert build.returncode == 1
    assert "main.go:3:15: undefined: nothing" in build.stdout
    assert " !     The Go build failed (see above)." in build.stdout


@needs_go
def test_a_module_without_a_program_is_refused(go_run: GoRunner) -> None:
    build = go_run({"go.mod": module(), "shop.go": "package shop\n"}).compile()
    assert build.returncode == 1
    assert " !     There is no `package main` in ./...: nothing to run." in build.stdout
