"""`~/.netrc`: one entry for each platform; every other line stays as it is.

Source: the netrc format of ftp(1) and curl(1), https://everything.curl.dev/usingcurl/netrc.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\S+')
VALUED = ("login", "password", "account")


class Entry:
    """One `machine` (or `default`) and the place in the text that it takes."""

    __slots__ = ("end", "machine", "start", "values")

    def __init__(self, machine: str, start: int) -> None:
        self.machine = machine
        self.start = start
        self.end = start
        self.values: dict[str, str] = {}


def entries(text: str) -> Iterator[Entry]:
    """The entries in order. Comments and macros belong to none."""
    at = 0
    entry: Entry | None = None
    while token := TOKEN.search(text, at):
        word, start, at = token.group(), token.start(), token.end()
        if word.startswith("#"):
            at = _after(text, "\n", at)
        elif word == "macdef":
            at = _after(text, "\n\n", at)
        elif word in ("machine", "default"):
            if entry:
                yield entry
            value = TOKEN.search(text, at) if word == "machine" else None
            entry = Entry(_bare(value.group()) if value else "", start)
            at = entry.end = value.end() if value else at
        elif word in VALUED and entry and (value := TOKEN.search(text, at)):
            entry.values[word] = _bare(value.group())
            at = entry.end = value.end()
    if entry:
        yield entry


def _after(text: str, mark: str, at: int) -> int:
    found = text.find(mark, at)
    return len(text) if found < 0 else found + len(mark)


def _bare(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if len(word) > 1 and word[0] == '"' == word[-1] else word


def with_entry(text: str, machine: str, login: str, password: str) -> str:
    """The text with the machine's entry written; others are untouched."""
    block = f"machine {machine}\n  login {login}\n  password {password}"
    for entry in entries(text):
        if entry.machine == machine:
            return text[: entry.start] + block + text[entry.end :]
    default = next((entry.start for entry in entries(text) if not entry.machine), None)
    if default is not None:
        # Nothing after `default` is ever looked at.
        return f"{text[:default]}{block}\n{text[default:]}"
    text += "" if not text or text.endswith("\n") else "\n"
    # Only an empty line ends a macro.
    is_in_macro = not any(entry.machine == machine for entry in entries(f"{text}{block}\n"))
    return text + ("\n" if is_in_macro else "") + block + "\n"


def without_entry(text: str, machine: str) -> str:
    """The text without the machine's entry."""
    for entry in entries(text):
        if entry.machine == machine:
            rest = text[entry.end :]
            return without_entry(text[: entry.start] + rest.removeprefix("\n"), machine)
    return text


def path() -> str:
    """The user's netrc file; a link is followed, so that it stays one."""
    return os.path.realpath(os.path.expanduser("~/.netrc"))


def read() -> str:
    """The file's text, empty when there is none."""
    try:
        with open(path(), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write(text: str) -> None:
    """Replaces the file in one step, readable by the user only. Raises OSError."""
    target = path()
    draft = f"{target}.{os.getpid()}.new"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            os.fchmod(handle, 0o600)
            file.write(text)
            file.flush()
            os.fsync(handle)
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise


def credentials(machine: str) -> tuple[str, str] | None:
    """(login, password) stored for the machine."""
    for entry in entries(read()):
        if entry.machine == machine and entry.values.get("password"):
            return entry.values.get("login", ""), entry.values["password"]
    return None
