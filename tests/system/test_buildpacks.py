"""Buildpacks of others, fetched over a network. Source: Dev Center, buildpack-api, buildpacks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import NewApp
from .elsewhere import Elsewhere, elsewhere
from .person import texts_in_order
from .rig import eventually

# A language nobody has a buildpack for: a file `app.hello` says what is served.
HELLO = {
    "bin/detect": '#!/bin/sh\n[ -f "$1/app.hello" ] && echo Hello || exit 1\n',
    "bin/compile": """#!/bin/bash
set -e
build=$1 cache=$2 env=$3
echo "-----> Saying hello"
count=$(($(cat "$cache/count" 2>/dev/null || echo 0) + 1)); echo $count > "$cache/count"
mkdir -p "$build/public" "$build/.profile.d"
echo "$(cat "$build/app.hello"), build $count, colour $(cat "$env/COLOUR" 2>/dev/null)" > "$build/public/index.html"
echo 'export FOLDER=public' > "$build/.profile.d/hello.sh"
echo 'export HELLO_WAS_HERE=yes' > export
""",
    "bin/release": """#!/bin/sh
cat <<END
config_vars:
  GREETING_STYLE: warm
default_process_types:
  web: python3 -m http.server \\$PORT --directory \\$FOLDER
END
""",
}
SECOND = {
    "bin/detect": "#!/bin/sh\necho Second\n",
    "bin/compile": '#!/bin/sh\necho "-----> Hello was here: $HELLO_WAS_HERE"\n',
}


def write(folder: Path, files: dict[str, str]) -> None:
    """Files, those of `bin` executable."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """Serves `hello.git`, with a branch `next`, and `second.tgz`."""
    served, source = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("buildpacks")
    served.chmod(0o755)
    for parent in list(served.parents)[:2]:
        parent.chmod(0o755)
    hello = source / "hello"
    write(hello, HELLO)
    for command in (
        "git init -q -b main",
        "git add -A",
        "git -c user.name=x -c user.email=x@example.com commit -q -m Hello",
        "git checkout -q -b next",
        "git -c user.name=x -c user.email=x@example.com commit -q --allow-empty -m Next",
        f"git clone -q --bare . {served}/hello.git",
    ):
        subprocess.run(command.split(), cwd=hello, check=True, timeout=60)
    write(source / "second", SECOND)
    subprocess.run(["tar", "-czf", f"{served}/second.tgz", "-C", f"{source}/second", "bin"], check=True, timeout=60)
    with elsewhere(served) as place:
        yield place


def test_a_classic_buildpack_given_by_its_git_url_builds_the_app(make_app: NewApp, internet: Elsewhere) -> None:
    app = make_app({"app.hello": "Good day"})
    app.senryu("buildpacks:set", internet.git("hello.git#next"))
    app.senryu("config:set", "COLOUR=red")
    said = app.push().stderr
    assert texts_in_order(said, ["-----> Hello app detected", "-----> Saying hello", "Released v"]), said
    assert app.visit().text == "Good day, build 1, colour red\n"
    assert app.senryu("config:get", "GREETING_STYLE").stdout == "warm\n"
    app.deploy({"app.hello": "Good evening"})
    eventually(lambda: app.visit().text == "Good evening, build 2, colour red\n", "the second build, with the first one's cache")


def test_several_buildpacks_from_git_and_a_tarball_run_in_order(make_app: NewApp, internet: Elsewhere) -> None:
    app = make_app({"app.hello": "Good day", "Procfile": "web: python3 -m http.server $PORT --directory $FOLDER\n"})
    app.senryu("buildpacks:set", internet.git("hello.git"))
    app.senryu("buildpacks:add", internet.http("second.tgz"))
    assert internet.http("second.tgz") in app.senryu("buildpacks").stdout
    said = app.push().stderr
    assert texts_in_order(said, ["Using buildpacks:", "1. git://", "2. http://", "Saying hello", "Hello was here: yes"]), said
    assert app.visit().text.startswith("Good day")


def test_a_buildpack_that_cannot_be_fetched_fails_the_build_in_words(make_app: NewApp, internet: Elsewhere) -> None:
    app = make_app()
    app.senryu("buildpacks:set", internet.git("nothing-here.git"))
    refused = app.push(check=False)
    assert refused.returncode != 0
    assert "could not be fetched" in refused.stderr
    app.senryu("buildpacks:clear")
    assert "Released v2" in app.push().stderr
    refused = app.senryu("buildpacks:set", "file:///etc", check=False)
    assert refused.returncode != 0
    assert "file:///etc" in refused.stderr
