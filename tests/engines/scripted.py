"""The same behaviours twice: as commands for bash, and as programs for the engine in memory."""

from __future__ import annotations

import asyncio

from senryu.engines.memory import Program, Running

SHOW_ENV = "env"
SERVE = "exec python3 -m http.server $PORT"
SERVE_LOCALLY = "exec python3 -m http.server --bind 127.0.0.1 $PORT"
SERVE_ELSEWHERE = "exec python3 -m http.server 4567"
SLEEP = "sleep 1000"
EXIT_3 = "exit 3"
STUBBORN = "trap '' TERM HUP; echo ready; while true; do sleep 1; done"
THREE_LINES = "echo one; echo two; echo three"
ECHO = 'echo early; while read line; do echo "got $line"; done; exit 7'
SIZE = "read line; stty size; read line; stty size"


async def _show_env(dyno: Running) -> int:
    for key, value in dyno.env.items():
        dyno.write(f"{key}={value}".encode())
    return 0


async def _serve(dyno: Running) -> int:
    dyno.listen()
    await dyno.ended.wait()
    return 0


async def _serve_locally(dyno: Running) -> int:
    dyno.listen(locally=True)
    await dyno.ended.wait()
    return 0


async def _serve_elsewhere(dyno: Running) -> int:
    dyno.listen_elsewhere(4567)
    await dyno.ended.wait()
    return dyno.exit_status or 0


async def _exit_3(_: Running) -> int:
    return 3


async def _stubborn(dyno: Running) -> int:
    dyno.is_stubborn = True
    dyno.write(b"ready")
    await dyno.ended.wait()
    return 0


async def _three_lines(dyno: Running) -> int:
    for word in (b"one", b"two", b"three"):
        dyno.write(word)
        await asyncio.sleep(0)
    return 0


async def _echo(dyno: Running) -> int:
    dyno.write(b"early")
    while chunk := await dyno.input.get():
        for line in chunk.splitlines():
            dyno.write(b"got " + line)
    return 7


async def _size(dyno: Running) -> int:
    for _ in range(2):
        await dyno.input.get()
        columns, lines = dyno.size
        dyno.write(b"%d %d" % (lines, columns))
    return 0


PROGRAMS: dict[str, Program] = {
    SHOW_ENV: _show_env,
    SERVE: _serve,
    SERVE_LOCALLY: _serve_locally,
    SERVE_ELSEWHERE: _serve_elsewhere,
    EXIT_3: _exit_3,
    STUBBORN: _stubborn,
    THREE_LINES: _three_lines,
    ECHO: _echo,
    SIZE: _size,
}
