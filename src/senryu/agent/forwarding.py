"""Other firewalls of the machine (Docker, ufw, firewalld, the owner's own) that forward nothing unless told: an opening in each for dynos.

A packet has to pass every chain of the forward hook; ours, which comes first, has decided by then what a dyno may reach.
Source: nft(8), libnftables-json(5), iptables(8); docs.docker.com, packet filtering and firewalls.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from senryu.core.limits import AGENT_TIMEOUT_S

from .lot import Lot

LOOK_S = 30.0  # a firewall that is started or reloaded later closes its chain then
_IP_TABLES = Path("/proc/net/ip_tables_names")  # of the kernel's old filter, which nft does not see
_FAMILIES = ("ip", "inet")


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain of the forward hook that lets nothing of a lot's dynos through yet."""

    family: str
    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"


_OF_IPTABLES = Chain("ip", "filter", "FORWARD")


def closed_chains(ruleset: Iterable[Mapping[str, Any]], lot: Lot) -> list[Chain]:
    """The chains of others, in nft's JSON, that drop or refuse by policy or by a rule and have no opening for `lot`. Pure."""
    items = list(ruleset)
    found = []
    for item in items:
        chain = item.get("chain", {})
        if chain.get("hook") != "forward" or chain.get("family") not in _FAMILIES or str(chain.get("table", "")).startswith("senryu_"):
            continue
        rules = [rule for rule in _rules(items) if _place(rule) == (chain["family"], chain["table"], chain["name"])]
        refuses = chain.get("policy") == "drop" or any("drop" in part or "reject" in part for rule in rules for part in rule["expr"])
        if refuses and sum(_is_opening(rule, lot) for rule in rules) < 2:
            found.append(Chain(chain["family"], chain["table"], chain["name"]))
    return found


def openings(ruleset: Iterable[Mapping[str, Any]], lot: Lot) -> list[str]:
    """nft commands that take every opening for `lot` away again. Pure."""
    ours = [rule for rule in _rules(ruleset) if _is_opening(rule, lot) and not rule["table"].startswith("senryu_")]
    return [f"delete rule {' '.join(_place(rule))} handle {rule['handle']}" for rule in ours]


def opening_commands(chain: Chain, lot: Lot) -> list[list[str]]:
    """The nft commands that open a chain. Pure."""
    place = ["nft", "insert", "rule", chain.family, chain.table, chain.name]
    dynos = f'"{lot.link_prefix}*"'
    return [[*place, "iifname", dynos, "accept"], [*place, "oifname", dynos, "ct", "state", "established,related", "accept"]]


def iptables_commands(program: str, action: str, lot: Lot) -> list[list[str]]:
    """Inserts (`-I`), finds (`-C`) or deletes (`-D`) the two rules. Pure."""
    dynos = f"{lot.link_prefix}+"
    replies = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    command = [program, "-w", "5", action, "FORWARD"]
    return [[*command, "-i", dynos, "-j", "ACCEPT"], [*command, "-o", dynos, *replies, "-j", "ACCEPT"]]


def open_all(lot: Lot) -> list[Chain]:
    """Opens what is closed. Gives the chains that are closed nevertheless. Says on stderr what it did."""
    for chain in closed_chains(_ruleset(), lot):
        # A chain that iptables reads is opened by iptables: a rule it could not read would make it useless to whoever owns the chain.
        program = next(filter(shutil.which, ("iptables-nft", "iptables")), None) if chain == _OF_IPTABLES else None
        if program is None or not all(_ran(command) for command in iptables_commands(program, "-I", lot)):
            for command in opening_commands(chain, lot):
                _ran(command)
        _say(f"the chain `{chain}` of another firewall lets nothing through by itself; it was told to let dynos through.")
    if _has_old_filter() and not all(_ran(command) for command in iptables_commands("iptables-legacy", "-C", lot)):
        for command in iptables_commands("iptables-legacy", "-I", lot):
            _ran(command)
    return closed_chains(_ruleset(), lot)


def close_all(lot: Lot) -> None:
    """Takes away what `open_all` put there."""
    if commands := openings(_ruleset(), lot):
        _ran(["nft", "; ".join(commands)])
    if _has_old_filter():
        for command in iptables_commands("iptables-legacy", "-D", lot):
            while _ran(command):
                continue


async def keep_open(lot: Lot, look: Callable[[Lot], Sequence[Chain]] = open_all) -> None:
    """Looks again and again, for ever. Each problem is told once."""
    told: set[str] = set()
    while True:
        problem = ""
        try:
            if left := await asyncio.to_thread(look, lot):
                problem = f"`{left[0]}` of another firewall cuts dynos off from the Internet; let it forward {lot.link_prefix}*."
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            problem = f"other firewalls could not be looked at: {error}"
        if problem and problem not in told:
            told.add(problem)
            _say(problem)
        await asyncio.sleep(LOOK_S)


def _rules(ruleset: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    return (item["rule"] for item in ruleset if "rule" in item)


def _place(rule: Mapping[str, Any]) -> tuple[str, str, str]:
    return rule["family"], rule["table"], rule["chain"]


def _is_opening(rule: Mapping[str, Any], lot: Lot) -> bool:
    names = [part["match"].get("right") for part in rule["expr"] if "match" in part]
    return f"{lot.link_prefix}*" in names and any("accept" in part for part in rule["expr"])


def _ruleset() -> list[Mapping[str, Any]]:
    done = subprocess.run(["nft", "-j", "-t", "list", "ruleset"], capture_output=True, text=True, timeout=AGENT_TIMEOUT_S, check=True)
    found: list[Mapping[str, Any]] = json.loads(done.stdout).get("nftables", [])
    return found


def _has_old_filter() -> bool:
    try:
        return "filter" in _IP_TABLES.read_text().split() and shutil.which("iptables-legacy") is not None
    except OSError:
        return False


def _ran(command: Sequence[str]) -> bool:
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=AGENT_TIMEOUT_S, check=False)
    return done.returncode == 0


def _say(sentence: str) -> None:
    print(f"senryu-agent: {sentence}", file=sys.stderr, flush=True)
