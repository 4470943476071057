"""What an attempt to escape is, and how all of them are made: each in a process of its own, for a few seconds at most."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

Targets = Mapping[str, list[str]]
Attempt = Callable[[Targets], str | None]

ATTEMPTS: dict[str, Attempt] = {}
_PATIENCE_S = 30.0  # beside others on a busy machine; none takes 3
_AT_ONCE = 24


def patience(targets: Targets) -> float:
    """By how much the machine is slower than it should be; what takes time may take so much more."""
    return float(targets.get("slowness", ["1"])[0])


class Refused(Exception):
    """The attempt came to nothing; the message says how."""


def attempt(name: str) -> Callable[[Attempt], Attempt]:
    """Puts a function on the list. It raises (OSError, Refused) when it is refused; what it gives back is what it got hold of."""

    def listed(function: Attempt) -> Attempt:
        assert name not in ATTEMPTS, name
        ATTEMPTS[name] = function
        return function

    return listed


def outcomes(targets: Targets) -> Iterator[tuple[str, str]]:
    """Makes every attempt. Gives names and `refused: how` or `ESCAPED: with what`."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        yield from zip(ATTEMPTS, threads.map(lambda function: _made(function, targets), ATTEMPTS.values()), strict=True)


def _made(function: Attempt, targets: Targets) -> str:
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tells, _said(function, targets)[:500].encode())
        os._exit(0)
    os.close(tells)
    until, said, has_ended = time.monotonic() + _PATIENCE_S * patience(targets), b"", False
    while not has_ended and select.select([told], [], [], max(0.0, until - time.monotonic()))[0]:
        chunk = os.read(told, 500)
        said, has_ended = said + chunk, not chunk
    os.close(told)
    os.kill(child, signal.SIGKILL)
    _, how = os.waitpid(child, 0)
    if not has_ended:
        return "BROKEN: took too long"
    return said.decode("utf-8", "replace") or f"refused: killed by signal {how & 127}"


def _said(function: Attempt, targets: Targets) -> str:
    try:
        got = function(targets)
    except Refused as refusal:
        return f"refused: {refusal}"
    except TimeoutError:
        return "refused: no answer"
    except OSError as error:
        return f"refused: {errno.errorcode.get(error.errno or 0, 'error')}"
    except BaseException as error:
        return f"BROKEN: {type(error).__name__}: {error}"
    return f"ESCAPED: {got}" if got else "refused: nothing there"


def read(path: str) -> str:
    """The beginning of a file. Raises: OSError; Refused when it is empty."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    found = os.read(file, 200)
    os.close(file)
    if not found:
        raise Refused("empty")
    return f"{path}: {found[:60]!r}"


def writable(path: str) -> str:
    """Opens a file for writing, and writes nothing: a machine that lets it happen must survive the test. Raises: OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    return f"{path} can be written"


def any_of(tries: Iterable[Callable[[], str | None]], at_once: int = 1) -> str | None:
    """What the first successful try got. Raises: Refused, naming all ways in which they were refused."""
    ways = set()
    with ThreadPoolExecutor(at_once) as threads:
        for got, way in threads.map(_tried, tries):
            if got:
                return got
            ways.add(way)
    raise Refused(", ".join(sorted(ways)) or "nothing to try")


def _tried(one: Callable[[], str | None]) -> tuple[str | None, str]:
    try:
        return one(), "nothing there"
    except Refused as refusal:
        return None, str(refusal)
    except TimeoutError:
        return None, "no answer"
    except OSError as error:
        return None, errno.errorcode.get(error.errno or 0, "error")
