"""docs/tutorial.md as commands with what they are to say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r"^```console ?([a-z-]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Command:
    """One line after a `$`, and the lines it is to say among others. `…` in them stands for anything."""

    text: str
    says: list[str] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Whether the page shows it failing."""
        return any(line.startswith("error:") for line in self.says)

    @property
    def has_order(self) -> bool:
        """Not of a log, whose lines come from several places, nor of remotes, which go by the alphabet."""
        return re.match(r"\w+ (logs|remote)\b", self.text) is None

    def missing(self, output: str) -> list[str]:
        """What of `says` is not in the output, in this order."""
        lines = [plain(line) for line in output.splitlines()]
        absent, place = [], 0
        for wanted in self.says:
            if plain(wanted) in ("", "…"):
                continue
            found = next((n for n in range(place if self.has_order else 0, len(lines)) if is_like(wanted, lines[n])), None)
            if found is None:
                absent.append(wanted)
            else:
                place = found + 1
        return absent


@dataclass
class Block:
    """Commands typed one after another; `kind` says where: nothing, `operator`, `at-a-terminal`, `other-terminal`, `heroku`."""

    kind: str
    commands: list[Command]


def plain(line: str) -> str:
    """Without colours, marks of git, and runs of spaces."""
    return " ".join(_ANSI.sub("", line).removeprefix("remote:").split())


def is_like(wanted: str, line: str) -> bool:
    """Whether a line is what the page shows: the whole of it, with anything where the page has `…`."""
    parts = [re.escape(plain(part)) for part in wanted.split("…")]
    return re.fullmatch(r"\s*.*?\s*".join(parts), line) is not None


def blocks(page: Path) -> list[Block]:
    """All of a page's, in order."""
    found = []
    for kind, content in _BLOCK.findall(page.read_text()):
        commands: list[Command] = []
        for line in content.splitlines():
            if line.startswith("$ "):
                commands.append(Command(line[2:]))
            else:
                commands[-1].says.append(line)
        found.append(Block(kind, commands))
    return found
