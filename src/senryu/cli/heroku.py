"""heroku: the official command line, run once against this platform, through a tunnel when the platform is elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from types import FrameType

from senryu.cli.arguments import Command, Typed
from senryu.cli.env import environment, is_here
from senryu.cli.failure import Failure
from senryu.cli.platform_url import platform_url

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)


def _heroku(typed: Typed) -> int:
    url = platform_url()
    if is_here(url):
        return _run(typed.args, environment(url))
    from senryu.cli.tunnel import Doors, Tunnel, open_tunnel

    doors = Doors(url)
    ports = open_tunnel(url, doors.authority)
    if ports is not None:
        return _run(typed.args, environment(url, authority=doors.authority, ports=ports))
    with Tunnel(url, doors.rendezvous_port) as tunnel:
        return _run(typed.args, environment(url, authority=doors.authority, ports=(tunnel.port, tunnel.rendezvous_port)))


def _run(words: list[str], wanted: Mapping[str, str]) -> int:
    """The program at our own terminal; gives its exit status, 128 and the number for one that a signal ended.

    Ctrl-C reaches it through the terminal, so it is left to it; what is sent to us alone is passed on.
    """
    try:
        program = subprocess.Popen(["heroku", *words], env={**os.environ, **wanted})
    except FileNotFoundError as error:
        raise Failure("The official heroku command line is not on the path", hint="`npm install -g heroku`") from error

    def pass_on(number: int, _: FrameType | None) -> None:
        if number not in _FROM_TERMINAL:
            program.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (*_FORWARDED, *_FROM_TERMINAL)}
    try:
        status = program.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - status if status < 0 else status


TOPIC = {"heroku": Command(_heroku, "-- COMMAND...", most=None, loose=True, examples=("heroku -- apps:info --app myapp",))}
