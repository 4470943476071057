"""What is told to HAProxy for a change, and in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from senryu.core.errors import Invalid
from senryu.core.route import Route, RouteMode, RouteTarget
from senryu.routers.haproxy.changes import Command, NoSlotLeft, apply_commands, remove_commands, tidy_commands
from senryu.routers.haproxy.settings import RouterSettings
from senryu.routers.haproxy.slots import App, Live, Server

SETTINGS = RouterSettings(home=Path("/h"), dyno_requests=7)
APP, OLD, NEW = UUID(int=1), UUID(int=2), UUID(int=3)
EMPTY = Live(slots=("be_0001", "be_0002"))
ROUTE = Route(APP, "shop", ("shop.localhost",), RouteMode.SERVE, (RouteTarget(NEW, "web.1", "10.0.0.2:5000"),))
SERVING_OLD = Live(
    slots=EMPTY.slots,
    hosts={"shop.localhost": "be_0001"},
    apps={"be_0001": App(APP, "shop", RouteMode.SERVE)},
    dynos={"be_0001": "10.0.0.1:5000"},
    servers={"be_0001": (Server(f"web.1:{OLD}", "10.0.0.1:5000", number=1),)},
)


def _texts(commands: list[Command]) -> list[str]:
    return [command.text for command in commands]


def test_a_new_app_gets_its_dynos_before_its_hosts() -> None:
    assert _texts(apply_commands(EMPTY, ROUTE, SETTINGS)) == [
        f"add server be_0001/web.1:{NEW} 10.0.0.2:5000 maxconn 7 pool-max-conn 100 pool-purge-delay 500ms sni var(txn.fresh) id 1",
        f"enable server be_0001/web.1:{NEW}",
        f"add map /h/router/apps.map be_0001 serve:{APP}:shop",
        "add map /h/router/hosts.map shop.localhost be_0001",
        "add map /h/router/dynos.map be_0001 10.0.0.2:5000",
    ]


def test_a_new_dyno_takes_requests_before_the_old_one_leaves() -> None:
    assert _texts(apply_commands(SERVING_OLD, ROUTE, SETTINGS)) == [
        f"add server be_0001/web.1:{NEW} 10.0.0.2:5000 maxconn 7 pool-max-conn 100 pool-purge-delay 500ms sni var(txn.fresh) id 2",
        f"enable server be_0001/web.1:{NEW}",
        "set map /h/router/dynos.map be_0001 10.0.0.2:5000",
        f"set server be_0001/web.1:{OLD} state maint",
        f"del server be_0001/web.1:{OLD}",
    ]


def test_draining_and_coming_back_are_states_of_a_server() -> None:
    old = RouteTarget(OLD, "web.1", "10.0.0.1:5000", is_draining=True)
    drain = apply_commands(SERVING_OLD, replace(ROUTE, targets=(old,)), SETTINGS)
    assert _texts(drain) == [f"set server be_0001/web.1:{OLD} state drain", "set map /h/router/dynos.map be_0001 none"]
    draining = replace(SERVING_OLD, servers={"be_0001": (Server(f"web.1:{OLD}", "10.0.0.1:5000", is_draining=True),)})
    back = apply_commands(draining, replace(ROUTE, targets=(replace(old, is_draining=False),)), SETTINGS)
    assert _texts(back) == [f"set server be_0001/web.1:{OLD} state ready", f"set server be_0001/web.1:{OLD} weight 1"]


def test_a_dyno_that_was_leaving_can_be_taken_back() -> None:
    leaving = replace(SERVING_OLD, servers={"be_0001": (Server(f"web.1:{OLD}", "10.0.0.1:5000", is_leaving=True),)})
    back = apply_commands(leaving, replace(ROUTE, targets=(RouteTarget(OLD, "web.1", "10.0.0.1:5000"),)), SETTINGS)
    assert _texts(back)[0] == f"set server be_0001/web.1:{OLD} state ready"


def test_stopping_changes_the_mode_before_the_dynos_leave() -> None:
    texts = _texts(apply_commands(SERVING_OLD, replace(ROUTE, mode=RouteMode.STOPPED, targets=()), SETTINGS))
    assert texts[0] == f"set map /h/router/apps.map be_0001 stopped:{APP}:shop"
    assert texts[1] == "set map /h/router/dynos.map be_0001 none"
    assert texts[2:] == [f"set server be_0001/web.1:{OLD} state maint", f"del server be_0001/web.1:{OLD}"]


def test_what_is_routed_already_needs_no_command() -> None:
    same = replace(ROUTE, targets=(RouteTarget(OLD, "web.1", "10.0.0.1:5000"),))
    assert apply_commands(SERVING_OLD, same, SETTINGS) == []


def test_a_haproxy_of_an_older_version_is_told_of_no_map_that_it_does_not_know() -> None:
    older = replace(SERVING_OLD, dynos=None)
    texts = _texts([*apply_commands(older, ROUTE, SETTINGS), *remove_commands(older, APP, SETTINGS)])
    assert texts and not [text for text in texts if "dynos.map" in text]


def test_a_slot_with_dynos_of_its_last_app_is_not_given_away() -> None:
    live = replace(EMPTY, servers={"be_0001": (Server(f"web.1:{OLD}", "10.0.0.1:5000", is_leaving=True),)})
    assert " be_0002/" in f" {_texts(apply_commands(live, ROUTE, SETTINGS))[0].split()[2]}"
    with pytest.raises(NoSlotLeft):
        apply_commands(replace(live, slots=("be_0001",)), ROUTE, SETTINGS)


def test_removing_takes_the_hosts_away_first() -> None:
    live = replace(SERVING_OLD, error_pages={"be_0001": "<iframe>"})
    assert _texts(remove_commands(live, APP, SETTINGS)) == [
        "del map /h/router/hosts.map shop.localhost",
        "del map /h/router/apps.map be_0001",
        "del map /h/router/dynos.map be_0001",
        "del map /h/router/error_pages.map be_0001",
        f"set server be_0001/web.1:{OLD} state maint",
        f"del server be_0001/web.1:{OLD}",
    ]
    assert remove_commands(live, OLD, SETTINGS) == []


def test_only_leaving_dynos_are_deleted_and_busy_ones_may_stay() -> None:
    servers = (Server(f"web.1:{OLD}", "10.0.0.1:5000", is_leaving=True), Server(f"web.2:{NEW}", "10.0.0.2:5000"))
    [delete] = tidy_commands(replace(SERVING_OLD, servers={"be_0001": servers}))
    assert delete.text == f"del server be_0001/web.1:{OLD}"
    assert "Server still has connections attached to it, cannot remove it." in delete.done


@pytest.mark.parametrize(
    "bad",
    [
        {"hosts": ("a b",)},
        {"hosts": ("a\nshutdown",)},
        {"hosts": ("a;b",)},
        {"hosts": ("UPPER",)},
        {"hosts": ("x" * 254,)},
        {"app_name": "a:b"},
        {"targets": (RouteTarget(NEW, "web.1;x", "10.0.0.1:1"),)},
        {"targets": (RouteTarget(NEW, "web.1", "unix@/etc/passwd"),)},
        {"targets": (RouteTarget(NEW, "web.1", "10.0.0.1:1 check"),)},
        {"error_page_url": "javascript:alert(1)"},
        {"error_page_url": 'https://example.com/"><script>'},
        {"error_page_url": "https://example.com/\nnext line"},
        {"maintenance_page_url": "https:///nowhere"},
        {"maintenance_page_url": "https://[bad"},
    ],
)
def test_nothing_that_could_be_read_as_a_command_gets_through(bad: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        apply_commands(EMPTY, replace(ROUTE, **bad), SETTINGS)  # type: ignore[arg-type]
