"""usage, invoices: what ran for how long, and what it comes to.

Source: https://devcenter.heroku.com/articles/usage-and-billing
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from senryu.cli.arguments import JSON, Command, Flag, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import as_json, heading, note, say, table
from senryu.cli.platform_api import PlatformApi, path_of

HEAD = ("App", "What", "Size or plan", "Hours", "A month", "Amount")
TEAM = Flag("team", "t", "TEAM", "a team's instead of your own")
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}td:nth-child(n+4),th:nth-child(n+4){text-align:right}"
    "tfoot td{font-weight:bold;border-top:2px solid #333}"
)


def dollars(cents: int) -> str:
    """`$12.50`."""
    return f"${cents // 100:,}.{cents % 100:02d}"


def hours(seconds: int) -> str:
    """`1:02:03`: hours, minutes, seconds."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def rows(statement: dict[str, Any]) -> list[tuple[str, ...]]:
    """A statement's lines as HEAD names them."""
    return [
        (
            (line["app"] or {}).get("name", ""),
            line["name"],
            line["size"],
            hours(line["seconds"]),
            dollars(line["price_cents"]),
            dollars(line["cents"]),
        )
        for line in statement["lines"]
    ]


def page(statement: dict[str, Any], payer: str) -> str:
    """The statement as an HTML page that prints well."""
    title = f"Statement {statement['month']}"
    period = f"{statement['period_start'][:10]} to {statement['period_end'][:10]} (UTC, the last day not counted)"
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows(statement))
    head = "".join(f"<th>{escape(name)}</th>" for name in HEAD)
    note_open = "<p>The month goes on; this is what it comes to so far.</p>" if statement["state"] == 0 else ""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>{escape(payer)}<br>{period}<br>No. {statement['number']}</p>{note_open}<table><thead><tr>{head}</tr></thead>"
        f'<tbody>{cells}</tbody><tfoot><tr><td colspan="5">Total</td><td>{dollars(statement["total"])}</td></tr></tfoot></table>'
        "</body></html>\n"
    )


def _statement(api: PlatformApi, typed: Typed, month: str) -> dict[str, Any]:
    team = typed.text("team")
    found: dict[str, Any] = api.get(path_of("senryu", "statements", month) + (f"?team={quote(team)}" if team else ""))
    return found


def _print(statement: dict[str, Any]) -> None:
    lines = rows(statement)
    if not lines:
        return note(f"Nothing ran in {statement['month']}")
    heading(f"{statement['month']}{' (so far)' if statement['state'] == 0 else ''}")
    table([*lines, ("", "", "", "", "Total", dollars(statement["total"]))], HEAD)
    return None


def _usage(typed: Typed) -> None:
    with PlatformApi() as api:
        statement = _statement(api, typed, "now")
    return as_json(statement) if typed.on("json") else _print(statement)


def _invoices(typed: Typed) -> None:
    month, html = typed.first(), typed.text("html")
    with PlatformApi() as api:
        if not month:
            if html:
                raise Failure("Which month is the page to be of?", hint="For example: `senryu invoices 2026-11 --html statement.html`")
            team = typed.text("team")
            return _list(api.pages(path_of("teams", team, "invoices") if team else "/account/invoices"), typed)
        statement = _statement(api, typed, month)
        payer = typed.text("team") or (api.get("/account")["email"] if html else "")
    if html:
        return _write(html, page(statement, payer))
    return as_json(statement) if typed.on("json") else _print(statement)


def _list(found: list[dict[str, Any]], typed: Typed) -> None:
    if typed.on("json"):
        return as_json(found)
    months = ((str(each["period_start"])[:7], dollars(each["total"]), "open" if each["state"] == 0 else "") for each in found)
    table(months, ("Month", "Total", ""))
    return None


def _write(where: str, text: str) -> None:
    if where == "-":
        return say(text.rstrip("\n"))
    try:
        Path(where).write_text(text, encoding="utf-8")
    except OSError as problem:
        raise Failure(f"{where} cannot be written: {problem.strerror}", status=API) from None
    return note(f"Wrote {where}")


TOPIC = {
    "invoices": Command(
        _invoices, "[MONTH]", (JSON, TEAM, Flag("html", "", "FILE", "write the month as an HTML page (`-`: print it)")), most=1,
        examples=("invoices", "invoices 2026-11 --html statement.html"),
    ),
    "usage": Command(_usage, "", (JSON, TEAM)),
}  # fmt: skip
