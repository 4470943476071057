"""The whole list of the reliability catalogue's group N, tried by a real app from a web dyno, a one-off, a release phase and a build.

The attempts are in tests/system/escape, an app that is pushed and built as any other; what they try to reach is in escape_targets.py.
`SENRYU_ESCAPE_TABLE=docs/evidence/escape.md .venv/bin/python -m pytest tests/system/test_escape.py` writes the table that is published.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from .escape_targets import METADATA, METADATA6, answers, host_addresses, host_file, host_listeners, neighbourhood, platform_paths
from .person import App, Person, new_app
from .rig import CHECKOUT, SLOWNESS, Copy, eventually
from .terminal import TerminalSession

ESCAPE = Path(__file__).parent / "escape"
LEFT = "left-by-the-escape-app"
WHERE = ("web", "one-off", "release", "build")
VICTIM = """\
import os, socket, http.server
named = socket.socket(socket.AF_UNIX); named.bind("\\0" + os.environ["ABSTRACT"]); named.listen(9)
for place in ("/tmp", "/var/tmp", "/dev/shm"):
    open(f"{place}/left-by-the-victim", "w").write(os.environ["CANARY"] + "\\n")
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
_SERVICES = (22, 53, 80, 5432)
Table = dict[str, dict[str, str]]


def rows(text: str) -> Table:
    """What was printed, by place and name."""
    found: Table = {}
    for where, name, how in re.findall(r"escape\| ([\w-]+) \| (.*?) \| (.*?)\s*$", text, re.MULTILINE):
        found.setdefault(where, {})[name] = how
    return found


def named_attempts() -> list[str]:
    """The names of the list, read from the app's source in a process of its own."""
    script = "import escape, json; print(json.dumps(list(escape.ATTEMPTS)))"
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", script], cwd=ESCAPE, capture_output=True, text=True, timeout=60, check=True)
    names: list[str] = json.loads(done.stdout)
    return names


def inside(app: App, dyno: str) -> tuple[str, str, str]:
    """Address, user id and `$PORT` of a dyno."""
    words = app.senryu("ps:exec", "--dyno", dyno, "--", "sh", "-c", "hostname -I; id -u; echo $PORT").stdout.split()
    return words[0], words[-2], words[-1]


def posted(app: App, body: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", app.copy.port, timeout=60 * SLOWNESS)
    try:
        connection.request("POST", "/", body=body, headers={"Host": f"{app.name}.localhost"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def targets(platform: Copy, operator: Person) -> Iterator[dict[str, list[str]]]:
    """Everything to be reached, each of which the machine itself does reach."""
    canary, abstract = secrets.token_hex(20), f"senryu-escape-{os.getpid()}"
    with ExitStack() as stack:
        place = stack.enter_context(neighbourhood())
        port = stack.enter_context(host_listeners(abstract))
        file = stack.enter_context(host_file(canary))
        files = {"Procfile": "web: python3 victim.py\n", "victim.py": VICTIM, "secret": f"{canary}\n"}
        victim = stack.enter_context(new_app(operator, files))
        victim.senryu("config:set", f"CANARY={canary}", f"ABSTRACT={abstract}-victim")
        victim.push()
        eventually(lambda: victim.visit("/secret").text == f"{canary}\n", "the victim's answer")
        address, uid, web_port = inside(victim, "web.1")
        gateway = gateway_of(address)
        four, six = host_addresses()
        paths, sockets = platform_paths(platform)
        global6 = [found for found in six if not found.startswith("fe80")]
        yield {
            "canary": [canary],
            "files": [str(file)],
            "paths": [*paths, str(file.parent)],
            "sockets": sockets,
            "left": ["left-by-the-victim", LEFT],
            "abstract": [abstract, f"{abstract}-victim"],
            "uids": [uid, "0"],
            "pids": [str(platform.pid(service)) for service in ("senryud", "agent", "router")] + [str(os.getpid())],
            "other_dynos": [f"{address} {web_port}"],
            "own_dynos": [],
            "host": [f"{found} {port}" for found in [gateway, *four]],
            "host6": [f"{found} {port}" for found in global6],
            "platform": [f"{found} {platform.port}" for found in ("127.0.0.1", "::1", "::ffff:127.0.0.1", gateway, *four)],
            "gateway": [f"{gateway} {found}" for found in (port, platform.port, platform.tls_port, platform.rendezvous_port, *_SERVICES)],
            "lan": [f"{found} {number}" for found in place.lan for number in (80, 22, 5432)] + [f"{place.near} {port}"],
            "lan6": [f"{place.lan6} 80", f"{place.near6} {port}"],
            "metadata": [f"{METADATA} 80"],
            "metadata6": [f"{METADATA6} 80"],
            "link_local": [f"{found} {port}" for found in six if found.startswith("fe80")] + ["ff02::1 80"],
            "udp": [f"{found} 7000" for found in [*place.lan, METADATA]] + [f"{gateway} 53"],
            "elsewhere": [f"{place.elsewhere} 7000"],
            "slowness": [str(SLOWNESS)],
        }


def gateway_of(address: str) -> str:
    """The first address of the /19 a dyno is in."""
    return str(ipaddress.IPv4Interface(f"{address}/19").network[1])


def hidden(targets: Mapping[str, list[str]]) -> str:
    return json.dumps(targets).encode().hex()


@pytest.fixture(scope="module")
def escape(operator: Person, targets: dict[str, list[str]]) -> Iterator[App]:
    """The app, deployed; a `twin` of its web dyno runs beside it."""
    tree = [path for pattern in ("*.py", "bin/*", "Procfile", "requirements.txt") for path in ESCAPE.glob(pattern)]
    files = {str(path.relative_to(ESCAPE)): path.read_text() for path in tree}
    with new_app(operator, files) as app:
        app.push()
        app.senryu("ps:scale", "twin=1")
        eventually(lambda: app.states().get("twin.1") == "up", "the twin")
        know_twin(app, targets)
        yield app


def know_twin(app: App, targets: dict[str, list[str]]) -> None:
    """Where the app's other dyno is now, and its user; and the machine's end of both dynos' cables."""
    address, uid, _ = inside(app, "twin.1")
    eventually(lambda: answers(address, 9000), "the twin's port, from the machine")
    targets["own_dynos"] = [f"{address} 9000"]
    targets["uids"][2:] = [uid]
    port = targets["host"][0].split()[1]
    near = [cable_end(found) for found in (address, inside(app, "web.1")[0])]
    targets["link_local"] = sorted({*targets["link_local"], *(f"{found} {port}" for found in near)})


def cable_end(address: str) -> str:
    """The link-local address of the machine on the cable to a dyno."""
    route = json.loads(subprocess.run(["ip", "-j", "route", "get", address], capture_output=True, timeout=30, check=True).stdout)
    command = ["ip", "-j", "-6", "address", "show", "dev", route[0]["dev"]]
    found = json.loads(subprocess.run(command, capture_output=True, timeout=30, check=True).stdout)
    return str(found[0]["addr_info"][0]["local"])


def test_what_is_tried_can_be_reached_by_the_machine_itself(targets: dict[str, list[str]], escape: App) -> None:
    """So that a refusal is the box's, and not an empty address."""
    reachable = ("other_dynos", "own_dynos", "host", "host6", "lan", "lan6", "metadata", "metadata6")
    silent = [place for kind in reachable for place in targets[kind] if not answers(place.split()[0], int(place.split()[1]))]
    assert silent == []
    assert all(Path(path).exists() for path in [*targets["paths"], *targets["files"], *targets["sockets"]])


def test_every_attempt_to_escape_is_refused(targets: dict[str, list[str]], escape: App) -> None:
    assert escape.visit().status == 200  # leaves its files
    said = escape.deploy({"targets": hidden(targets)})
    eventually(lambda: escape.dynos()["twin.1"]["state"] == "up" and len(escape.dynos()) == 2, "the new twin")
    know_twin(escape, targets)
    said += posted(escape, hidden(targets)) + "\n"
    said += escape.senryu("run", f"python3 escape.py one-off {hidden(targets)}").stdout
    table = rows(said.replace("remote: ", ""))
    names = named_attempts()
    for where in WHERE:
        assert list(table.get(where, {})) == names, f"{where}: {said[-3000:]}"
    if wanted := os.environ.get("SENRYU_ESCAPE_TABLE"):
        (CHECKOUT / wanted).write_text(published(table))
    assert {f"{where}: {name}": how for where in WHERE for name, how in table[where].items() if not how.startswith("refused: ")} == {}


def test_what_is_typed_into_its_terminal_by_a_dyno_stays_in_the_dyno(targets: dict[str, list[str]], escape: App) -> None:
    command = ("senryu", "run", "-a", escape.name, f"python3 escape.py terminal {hidden(targets)} '{TYPE}'")
    program = str(CHECKOUT / "bin" / "senryu")
    with TerminalSession((program, *command[1:]), escape.owner.environment) as terminal:
        shown = terminal.await_text("refused: ") + terminal.await_text("\n")
        assert "ESCAPED" not in shown
        terminal.await_end()


TYPE = "type into the terminal of whoever runs it (TIOCSTI)"


def test_the_runtime_cannot_be_overwritten_when_it_enters_a_dyno(escape: App) -> None:
    for _ in range(5):
        assert escape.senryu("ps:exec", "--", "sh", "-c", "sleep 0.2; echo entered").stdout == "entered\n"
    got, *seen = escape.visit("/runtime").text.splitlines()
    assert got == ""
    assert any(path.endswith(("/dash", "/sleep")) for path in seen), seen  # it was looked at while others ran inside


def test_no_two_dynos_have_one_user(targets: dict[str, list[str]], escape: App) -> None:
    users = [inside(escape, dyno)[1] for dyno in ("web.1", "twin.1")] + targets["uids"][:1]
    assert len(set(users)) == 3
    assert all(int(user) > 2_000_000 for user in users)


def test_the_published_table_has_every_attempt() -> None:
    page = (CHECKOUT / "docs/evidence/escape.md").read_text()
    assert re.findall(r"^\| (.*?) \| refused", page, re.MULTILINE) == named_attempts()
    assert "ESCAPED" not in page


def published(table: Table) -> str:
    """The table in Markdown; one column when all four places agree."""
    lines = ["# Attempts to escape, and how they are refused", ""]
    lines += ["Written by a run of `tests/system/test_escape.py`; its head says how.", ""]
    lines += ["| attempt | " + " | ".join(WHERE) + " |", "|---" * (len(WHERE) + 1) + "|"]
    for name in table[WHERE[0]]:
        lines.append(f"| {name} | " + " | ".join(table[where][name] for where in WHERE) + " |")
    return "\n".join([*lines, ""])
