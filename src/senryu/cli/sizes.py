"""sizes, sizes:set, sizes:default, sizes:allow: dyno sizes, and what the operator says of them."""

from __future__ import annotations

import re
from typing import Any

from senryu.cli.arguments import JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, as_json, table
from senryu.cli.platform_api import PlatformApi, path_of

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_KEYS = {
    "memory": "memory_bytes",
    "price": "price_cents",
    "cpu": "cpu_shares",
    "hours": "pool_hours",
    "verified-hours": "verified_pool_hours",
    "sleep": "sleeps_after_s",
    "per-type": "per_type_max",
    "running": "running_max",
    "one-offs": "one_offs_max",
    "exclusive": "is_exclusive",
    "offered": "is_offered",
    "units": "dyno_units",
}
_SWITCH = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def change(word: str) -> tuple[str, int | bool]:
    """`memory=1g`, `price=12.50`, `offered=no` as the API takes it. Raises `Failure` when it is none of these."""
    name, _, text = word.partition("=")
    key = _KEYS.get(name, name.replace("-", "_"))
    if text.lower() in _SWITCH:
        return key, _SWITCH[text.lower()]
    if key == "price_cents" and re.fullmatch(r"\d{1,7}(\.\d{1,2})?", text, re.ASCII):
        whole, _, part = text.partition(".")
        return key, int(whole) * 100 + int(part.ljust(2, "0") or 0)
    found = re.fullmatch(r"(\d{1,15})([kmg]?)b?", text.lower(), re.ASCII)
    if not found:
        raise Failure(f"`{word}` says nothing of a size", hint="For example: `memory=1g`, `price=12.50`, `hours=550` or `offered=no`")
    return key, int(found[1]) * _UNITS[found[2]]


def dollars(cents: int) -> str:
    """`$12.50`."""
    return f"${cents // 100:,}.{cents % 100:02d}"


def _row(size: dict[str, Any]) -> tuple[str, ...]:
    memory = size["memory_bytes"] // 1024**2
    hours = f"{size['pool_hours']}" if size["pool_hours"] else ""
    if size["verified_pool_hours"] > size["pool_hours"]:
        hours += f" ({size['verified_pool_hours']} verified)"
    sleeps = f"{size['sleeps_after_s'] // 60} min" if size["sleeps_after_s"] else ""
    return (
        size["name"],
        f"{memory} MB",
        f"{size['cpu_shares']}",
        f"{size['pids']}",
        dollars(size["cost"]["cents"]),
        hours,
        sleeps,
        "some" if size["is_restricted"] else "",
    )


def _index(typed: Typed) -> None:
    with PlatformApi() as api:
        found = api.pages("/dyno-sizes")
    if typed.on("json"):
        return as_json(found)
    found.sort(key=lambda size: (size["cost"]["cents"], size["name"]))
    table(map(_row, found), ("Name", "Memory", "CPU", "Processes", "A month", "Hours a month", "Sleeps after", "Kept for"))
    return None


def _set(typed: Typed) -> None:
    name, *words = typed.args
    changes = dict(change(word) for word in words)
    with PlatformApi() as api, Progress(f"Setting {', '.join(words)} of {name}"):
        api.patch(path_of("senryu", "dyno-sizes", name), changes)


def _default(typed: Typed) -> None:
    with PlatformApi() as api, Progress(f"Making {typed.first()} the default size") as progress:
        progress.then = f"new process types get {api.put('/senryu/default-dyno-size', {'size': typed.first()})['name']}"


def _allow(typed: Typed) -> None:
    name, *who = typed.args
    if typed.on("everyone") == bool(who):
        raise Failure("Who may use it?", hint="Name accounts (addresses) and teams, or give `--everyone`")
    told = ", ".join(who) or "everybody"
    with PlatformApi() as api, Progress(f"Offering {name} to {told}"):
        api.put(path_of("senryu", "dyno-sizes", name, "allowed"), {"allowed": who or None})


TOPIC = {
    "sizes": Command(_index, "", (JSON,)),
    "sizes:allow": Command(
        _allow, "SIZE [WHO...]", (Flag("everyone", "", "", "offer it to everybody again"),), least=1, most=None,
        examples=("sizes:allow performance-l you@example.com my-team", "sizes:allow performance-l --everyone"),
    ),
    "sizes:default": Command(_default, "SIZE", least=1, most=1, examples=("sizes:default free",)),
    "sizes:set": Command(
        _set, "SIZE NAME=VALUE...", least=2, most=None,
        examples=("sizes:set basic memory=1g price=9", "sizes:set tiny memory=128m cpu=256 price=2.50", "sizes:set eco offered=no"),
    ),
}  # fmt: skip
