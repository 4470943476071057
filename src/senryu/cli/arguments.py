"""Flags and arguments of one command: what it takes, and what was typed."""

from __future__ import annotations

from collections.abc import Callable

from senryu.cli.failure import Failure


class Flag:
    """One flag. `value` is the word shown in the help (`NAME`); a flag without one is a switch."""

    __slots__ = ("help", "many", "name", "short", "value")

    def __init__(self, name: str, short: str = "", value: str = "", help: str = "", *, many: bool = False) -> None:
        self.name = name
        self.short = short
        self.value = value
        self.help = help
        self.many = many


APP = Flag("app", "a", "APP", "app to run the command against")
REMOTE = Flag("remote", "r", "REMOTE", "git remote of the app to use")
JSON = Flag("json", "j", "", "print as JSON")
CONFIRM = Flag("confirm", "c", "APP", "the app's name, to confirm without being asked")
AN_APP = (APP, REMOTE)


class Typed:
    """What was typed for one command. `args` are the words that are no flags, in order."""

    def __init__(self, name: str, flags: dict[str, list[str]], args: list[str]) -> None:
        self.name = name
        self.args = args
        self._flags = flags

    def on(self, flag: str) -> bool:
        """Whether the switch was given."""
        return flag in self._flags

    def text(self, flag: str) -> str | None:
        """The flag's last value."""
        values = self._flags.get(flag)
        return values[-1] if values else None

    def texts(self, flag: str) -> list[str]:
        """All values of a flag that may be repeated."""
        return self._flags.get(flag, [])

    def number(self, flag: str, default: int, *, least: int = 1) -> int:
        """The flag as a whole number. Raises `Failure` when it is none or below `least`."""
        value = self.text(flag)
        if value is None:
            return default
        if not value.isascii() or not value.isdigit() or int(value) < least:
            raise Failure(f"`--{flag}` takes a whole number from {least} up, not `{value}`", hint=see_help(self.name))
        return int(value)

    def first(self, default: str = "") -> str:
        """The first argument."""
        return self.args[0] if self.args else default


Run = Callable[[Typed], "int | None"]


class Command:
    """What a command takes.

    Takes: `args`, the usage words (`NAME`, `[NAME]`, `KEY=VALUE...`); `least` and `most` arguments (`most` None: any
    number); `loose`, true when unknown flags are words of the command to run; `examples`, command lines without `senryu`.
    """

    __slots__ = ("args", "examples", "flags", "least", "loose", "most", "run")

    def __init__(
        self,
        run: Run,
        args: str = "",
        flags: tuple[Flag, ...] = (),
        *,
        least: int = 0,
        most: int | None = 0,
        loose: bool = False,
        examples: tuple[str, ...] = (),
    ) -> None:
        self.run = run
        self.args = args
        self.flags = flags
        self.least = least
        self.most = most
        self.loose = loose
        self.examples = examples


def see_help(name: str) -> str:
    """The hint that names a command's help page."""
    return f"Run `senryu {name} --help` to see what it takes"


def wants_help(command: Command, words: list[str]) -> bool:
    """Whether `--help` or `-h` stands among the words before `--`, and is not a word of the command to run."""
    if command.loose:
        return bool(words) and words[0] in ("--help", "-h")
    before = words[: words.index("--")] if "--" in words else words
    return "--help" in before or ("-h" in before and not any(flag.short == "h" for flag in command.flags))


def parse(name: str, command: Command, words: list[str]) -> Typed:
    """Reads the words after the command's name.

    Flags and arguments may stand in any order; after `--` everything is an argument.
    Raises `Failure` (usage) for an unknown flag, a missing value, too many or too few arguments.
    """
    flags: dict[str, list[str]] = {}
    args: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            args += rest
            break
        is_word = len(word) < 2 or not word.startswith("-") or (command.loose and args and _is_attached(word))
        if is_word or not _take_flag(name, command, word, rest, flags):
            args.append(word)
    _check_count(name, command, args)
    return Typed(name, flags, args)


def _is_attached(word: str) -> bool:
    """`-al`: inside the command to run that is `ls -al`, not `--app l`."""
    return not word.startswith("--") and len(word) > 2


def _take_flag(name: str, command: Command, word: str, rest: list[str], flags: dict[str, list[str]]) -> bool:
    """Reads one flag into `flags`. Gives false when a loose command does not know it."""
    key, equals, attached = word.partition("=") if word.startswith("--") else (word[:2], "=", word[2:])
    flag = next((f for f in command.flags if key in (f"--{f.name}", f"-{f.short}" if f.short else None)), None)
    if flag is None or (not flag.value and not word.startswith("--") and attached):
        return _take_cluster(name, command, word, flags)
    if not flag.value:
        if equals and attached:
            raise Failure(f"`--{flag.name}` takes no value, but got `{attached}`", hint=see_help(name))
        flags.setdefault(flag.name, [])
        return True
    if word.startswith("--") and equals:
        value = attached
    elif attached:
        value = attached.removeprefix("=")
    elif rest:
        value = rest.pop(0)
    else:
        raise Failure(f"`{key}` needs a value: {flag.value}", hint=see_help(name))
    flags.setdefault(flag.name, []).append(value)
    return True


def _take_cluster(name: str, command: Command, word: str, flags: dict[str, list[str]]) -> bool:
    """Reads `-xt` as `-x -t` when all letters are switches; an unknown flag is refused unless the command is loose."""
    switches = {f.short: f for f in command.flags if f.short and not f.value}
    if not command.loose and not word.startswith("--") and all(letter in switches for letter in word[1:]):
        for letter in word[1:]:
            flags.setdefault(switches[letter].name, [])
        return True
    if command.loose:
        return False
    raise Failure(f"`senryu {name}` has no flag `{word.partition('=')[0]}`", hint=_nearest_flag(name, command, word))


def _nearest_flag(name: str, command: Command, word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word.partition("=")[0], [f"--{f.name}" for f in command.flags], n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    if "[-- --" in command.args:  # what is not the command line's own, such as an add-on's options
        return f"If it is not for `senryu {name}` itself, write it after `--`: `… -- {word}`"
    return see_help(name)


def _check_count(name: str, command: Command, args: list[str]) -> None:
    if len(args) < command.least:
        raise Failure(f"`senryu {name}` needs {command.args}", hint=_example(name, command))
    if command.most is not None and len(args) > command.most:
        raise Failure(f"`senryu {name}` does not take `{args[command.most]}`", hint=_subcommand(name, command, args))


def _subcommand(name: str, command: Command, args: list[str]) -> str:
    from senryu.cli.commands import find

    return f"Did you mean `senryu {name}:{args[0]}`?" if find(f"{name}:{args[0]}") else _example(name, command)


def _example(name: str, command: Command) -> str:
    return f"For example: `senryu {command.examples[0]}`" if command.examples else see_help(name)
