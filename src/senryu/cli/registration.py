"""registration:open, registration:close, registration:invite, accounts:verify: who may have an account, and how many hours."""

from __future__ import annotations

from senryu.cli.arguments import Command, Typed
from senryu.cli.output import Progress, note, say
from senryu.cli.platform_api import PlatformApi, path_of


def _open(typed: Typed) -> None:
    _switch(True)


def _close(typed: Typed) -> None:
    _switch(False)


def _switch(is_open: bool) -> None:
    with PlatformApi() as api, Progress(f"{'Opening' if is_open else 'Closing'} registration on {api.url}"):
        api.patch("/senryu/registration", {"open": is_open})


def _invite(typed: Typed) -> None:
    email = typed.first()
    with PlatformApi() as api:
        with Progress(f"Inviting {email}"):
            made = api.post("/senryu/invitations", {"email": email})
        note("They register with:")
        say(f"SENRYU_URL={api.url} senryu register --email {email} --invitation {made['invitation']}")


def _verify(typed: Typed) -> None:
    is_verified, email = typed.name == "accounts:verify", typed.first()
    with PlatformApi() as api, Progress(f"{'Verifying' if is_verified else 'No longer verifying'} {email}"):
        api.patch(path_of("senryu", "accounts", email), {"verified": is_verified})


TOPIC = {
    "accounts:unverify": Command(_verify, "EMAIL", least=1, most=1, examples=("accounts:unverify user@example.com",)),
    "accounts:verify": Command(_verify, "EMAIL", least=1, most=1, examples=("accounts:verify user@example.com",)),
    "registration:open": Command(_open),
    "registration:close": Command(_close),
    "registration:invite": Command(_invite, "EMAIL", least=1, most=1, examples=("registration:invite user@example.com",)),
}
