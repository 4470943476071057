"""docs/tutorial.md, typed as it stands, by somebody with our command line and by somebody with the official one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from compat.client import installed, path_to
from system.person import PROGRAM, Person
from system.rig import CHECKOUT, eventually
from system.terminal import TerminalSession

from .page import Block, Command, blocks, plain
from .shell import Aside, Shell

PAGE = CHECKOUT / "docs/tutorial.md"
_OURS = re.compile(r"(?<![\w/~.$-])senryu(?![\w/-])")
# What has no effect may be repeated until it says what the page says: the platform takes a moment.
_READS = re.compile(r"curl -s |\w+ (logs|ps|config|addons)\b(?!:)")
# The official client says some things in its own words; these are what is looked for of them.
_ITS_WORDS = {
    "heroku create": "https://localhost",
    "heroku ps:type": "Free",
    "heroku addons:create": "is being created|has been created|Created|config vars",
    "heroku config": "DATABASE_URL: *postgres://",
}


class Reader:
    """Somebody who follows the page. Use as `with`."""

    def __init__(self, operator: Person, client: str) -> None:
        self.client, self.operator, self.copy = client, operator, operator.copy
        name = "you" if client == "senryu" else "them"
        self.app = "my-gallery" if client == "senryu" else "their-gallery"
        self.person = Person(self.copy, operator.home.parent / f"home-{name}", f"{name}@example.com")
        (self.person.home / "senryu").symlink_to(CHECKOUT)
        self.invitation, self.one_off = "", ""
        self.aside: tuple[Aside, Command, str] | None = None

    @contextmanager
    def at_a_shell(self) -> Iterator[Reader]:
        """With a shell of theirs, and nothing of it left afterwards."""
        environment = dict(self.person.environment)
        if self.client == "heroku":
            environment["PATH"] = f"{path_to(installed())}:{environment['PATH']}"
            (self.person.home / ".cache/heroku").mkdir(parents=True, exist_ok=True)
            (self.person.home / ".cache/heroku/terms-of-service").touch()
        self.opened = self.person.home / "opened"
        browser = self.person.home / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" >>{self.opened}\n')
        browser.chmod(0o755)
        environment["BROWSER"] = str(browser)
        with ExitStack() as stack, Shell(environment, self.person.home) as self.shell:
            self.stack = stack
            yield self

    def typed(self, text: str) -> str:
        """What of the page is other for this person: the port, the client, names."""
        text = text.replace(":8080", f":{self.copy.port}").replace("CODE", self.invitation).replace("run.1234", self.one_off)
        text = text.replace("you@example.com", self.person.email).replace("my-gallery", self.app)
        is_before_login = re.search(r"senryu (env|register|registration:)", text)
        if self.client == "senryu" or is_before_login or text.startswith("remote:"):
            return text
        text = re.sub(r"http://localhost:\d+/(\S+\.git)", rf"https://localhost:{self.copy.tls_port}/\1", text)
        return _OURS.sub("heroku", text)

    def follow(self, block: Block) -> None:
        """Types a block's commands and compares what they say."""
        for command in block.commands:
            wanted = Command(self.typed(command.text), [self.typed(line.replace("run.1234", "run.…")) for line in command.says])
            if block.kind == "operator":
                self._as_operator(wanted)
            elif block.kind == "at-a-terminal":
                self._register(wanted)
            elif block.kind == "other-terminal":
                self._beside(wanted)
            else:
                self._type(wanted)
        if block.kind == "" and self.aside is not None:
            self._end_aside(*self.aside)

    def _as_operator(self, command: Command) -> None:
        done = self.operator.senryu(*command.text.split()[1:])
        assert not command.missing(done.stderr + done.stdout), done
        self.invitation = done.stdout.split()[-1]

    def _register(self, command: Command) -> None:
        with TerminalSession([PROGRAM, *command.text.split()[1:]], self.shell.environment()) as terminal:
            for line in command.says:
                terminal.await_text(line.strip())
                if line.startswith("Password"):
                    terminal.type(f"{self.person.password}\r")
            assert terminal.await_end() == 0

    def _beside(self, command: Command) -> None:
        began = datetime.now(UTC).isoformat()
        aside = Aside(command.text, self.shell.environment(), self.shell.cwd())
        self.stack.callback(aside.close)
        eventually(lambda: ("run." if " run " in command.text else "app[api]") in aside.said, f"the first words of {command.text}")
        self.aside = (aside, command, began)

    def _end_aside(self, aside: Aside, command: Command, began: str) -> None:
        if command.says:

            def new() -> str:
                """What was logged since, not the history that a tail begins with."""
                return "\n".join(line for line in map(plain, aside.said.splitlines()) if line > began)

            eventually(lambda: not command.missing(new()), f"{command.says} of {command.text}, which said {aside.said[-3000:]}")
            aside.interrupt()
        aside.await_end()
        self.aside = None

    def _type(self, command: Command) -> None:
        before = self._dynos() if re.search(r"ps:(restart|type)", command.text) else set()
        status, said = self.shell.run(command.text)
        if _READS.match(command.text):

            def again() -> bool:
                nonlocal status, said
                if self._missing(command, said):
                    status, said = self.shell.run(command.text)
                return not self._missing(command, said)

            try:
                eventually(again, command.text, 20)
            except AssertionError:
                pass  # told better below
        shown = f"`{command.text}` ended with {status}:\n{said}\n{self.copy.own_log()}"
        assert not self._missing(command, said), f"{self._missing(command, said)} is missing. {shown}"
        assert (status != 0) == command.is_refused, shown
        if found := re.search(r"\brun\.\d+", said):
            self.one_off = found[0]
        if before:
            eventually(lambda: self._dynos() and not self._dynos() & before, "dynos that take the place of others")

    def _missing(self, command: Command, said: str) -> list[str]:
        """What the page shows and was not said. A client's own words count in ours only, the platform's and the app's in both."""
        refused = [line.partition(":")[2] for line in command.says if line.startswith("error:")]
        if refused:
            one_line = " ".join(plain(said.replace("›", " ")).split())
            return [line for line in refused if line.strip() not in one_line]
        if self.client == "senryu" or not command.text.startswith("heroku ") or re.match(r"heroku (run|logs)\b(?!:)", command.text):
            return command.missing(said)
        its = next((words for start, words in _ITS_WORDS.items() if command.text.startswith(start)), "")
        return [] if re.search(its, said) else [its]

    def _dynos(self) -> set[str]:
        """The web dynos that are up."""
        dynos = json.loads(self.person.senryu("ps", "--json", "-a", self.app).stdout)
        return {dyno["id"] for dyno in dynos if dyno["type"] == "web" and dyno["state"] == "up"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("client", ["senryu", pytest.param("heroku", marks=[pytest.mark.compat, pytest.mark.registry])])
def test_the_course_goes_as_the_tutorial_says(client: str, operator: Person) -> None:
    page = blocks(PAGE)
    [for_heroku] = [block for block in page if block.kind == "heroku"]
    with Reader(operator, client).at_a_shell() as reader:
        for block in page:
            if block.kind != "heroku":
                reader.follow(block)
            if block.kind == "at-a-terminal" and client == "heroku":
                reader.follow(for_heroku)
        eventually(lambda: reader.opened.exists() and f"//{reader.app}.localhost" in reader.opened.read_text(), "the browser's start")
