"""Waiting for a program of ours, without looking for it now and then. Source: pidfd_open(2)."""

from __future__ import annotations

import os
import select
import subprocess


def status(program: subprocess.Popen[bytes], timeout_s: float) -> int:
    """Its exit status, in the moment of its end.

    `Popen.wait` and `subprocess.run` with a timeout and no pipe look after 0.5, 1.5, … 31.5, 63.5, 113.5 ms only.
    Raises: subprocess.TimeoutExpired; the program runs on then.
    """
    if program.poll() is None:
        end = os.pidfd_open(program.pid)
        try:
            waiting = select.poll()
            waiting.register(end, select.POLLIN)
            if not waiting.poll(timeout_s * 1000):
                raise subprocess.TimeoutExpired(program.args, timeout_s)
        finally:
            os.close(end)
    return program.wait()
