"""2fa, 2fa:enable, 2fa:disable, 2fa:recovery-codes, 2fa:reset.

Source: https://devcenter.heroku.com/articles/multi-factor-authentication
"""

from __future__ import annotations

import sys
from typing import Any

from senryu.cli.arguments import Command, Flag, Typed
from senryu.cli.auth import ask_password, words_from_stdin
from senryu.cli.failure import Failure
from senryu.cli.output import ask, heading, note, say
from senryu.cli.platform_api import TWO_FACTOR, PlatformApi


def ask_code() -> str:
    """A code that somebody types. Raises Failure when nobody is there."""
    code = ask("Two-factor code: ") if sys.stdin.isatty() else None
    if not code:
        raise Failure("A two-factor code is needed", hint="Add `--password-stdin` and send it on the second line of standard input")
    return code


def _status(typed: Typed) -> None:
    with PlatformApi() as api:
        found = api.get("/senryu/two-factor")
    say(f"Two-factor authentication is {'enabled' if found['enabled'] else 'not enabled'}")
    if found["enabled"]:
        note(f"{found['recovery_codes_left']} recovery codes are left")


def _enable(typed: Typed) -> None:
    with PlatformApi() as api:
        begun = api.post("/senryu/two-factor", {"password": ask_password()})
        say(f"Secret: {begun['secret']}")
        say(f"Address for an authenticator app: {begun['provisioning_uri']}")
        note("Give one of them to your authenticator app; then type the code that it shows")
        _show_codes(api.patch("/senryu/two-factor", {"code": ask_code()}))


def _show_codes(answer: dict[str, Any]) -> None:
    heading("Recovery codes")
    for code in answer["recovery_codes"]:
        say(code)
    note("Each works once in place of a code, should the app be lost. They are not shown again")


def _code(typed: Typed) -> str:
    return words_from_stdin()[0] if typed.on("code-stdin") else ask_code()


def _disable(typed: Typed) -> None:
    with PlatformApi() as api:
        api.call("DELETE", "/senryu/two-factor", None, {TWO_FACTOR: _code(typed)})
    note("Two-factor authentication is disabled")


def _renew(typed: Typed) -> None:
    with PlatformApi() as api:
        _show_codes(api.call("POST", "/senryu/two-factor/recovery-codes", None, {TWO_FACTOR: _code(typed)}).json)


def _reset(typed: Typed) -> None:
    with PlatformApi() as api:
        api.post("/senryu/two-factor/resets", {"email": typed.first()})
    note(f"{typed.first()} logs in without a second factor now")


_ON_STDIN = Flag("code-stdin", "", "", "read the code from standard input")
TOPIC = {
    "2fa": Command(_status),
    "2fa:enable": Command(_enable),
    "2fa:disable": Command(_disable, "", (_ON_STDIN,)),
    "2fa:recovery-codes": Command(_renew, "", (_ON_STDIN,)),
    "2fa:reset": Command(_reset, "EMAIL", (), least=1, most=1),
}
