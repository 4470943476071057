"""The manual's generated tables. `python tests/docs/tables.py` writes them anew; a test compares."""

from __future__ import annotations

import re
from pathlib import Path

from senryu.api import front_door
from senryu.cli.commands import ALIASES, COMMANDS, HIDDEN
from senryu.config import SETTINGS

ROOT = Path(__file__).parents[2]
_LIMIT = re.compile(r"^([A-Z][A-Z0-9_]+)(?:: [^=]+)? = ([^#]+?)(?:\s+# (.*))?$")


def settings() -> list[list[str]]:
    """Setting, flag, environment variable, default, meaning."""
    rows = [["setting", "flag", "environment", "default", "what it is"]]
    for name, (variable, default, meaning) in SETTINGS.items():
        shown = f"`{default}`" if str(default) else "(empty)"
        rows.append([f"`{name}`", f"`--{name.replace('_', '-')}`", f"`{variable}`", shown, meaning.replace("<", "&lt;")])
    return rows


def routes() -> list[list[str]]:
    """Method, path, what it does, the file it is in."""
    rows = [["call", "what it does", "file in `src/senryu/api`"]]
    for router in (*front_door.ROUTERS, front_door._own):
        for route in router.routes:
            what = (route.endpoint.__doc__ or "").strip().splitlines()[0]
            file = route.endpoint.__module__.rpartition(".")[2]
            rows.append([f"`{route.method} {route.path}`", what, f"`{file}.py`"])
    return [rows[0], *sorted(rows[1:], key=lambda row: (row[2], row[0].split()[1], row[0]))]


def limits() -> list[list[str]]:
    """Limit, value as written, remark."""
    rows = [["limit", "value", "remark"]]
    for line in (ROOT / "src/senryu/core/limits.py").read_text().splitlines():
        found = _LIMIT.match(line)
        if found and found[1] not in ("KIB", "MIB", "GIB"):
            rows.append([f"`{found[1]}`", f"`{found[2].strip()}`", found[3] or ""])
    return rows


def aliases() -> list[list[str]]:
    """Short or old name, the command it stands for."""
    return [["you may type", "for"], *([f"`{alias}`", f"`{target}`"] for alias, target in sorted(ALIASES.items()))]


def commands() -> dict[str, str]:
    """Every command people type, and its line in the help."""
    return {name: meaning for name, (_, meaning) in COMMANDS.items() if name not in HIDDEN}


PAGES = {
    "docs/config-settings.md": ("settings", settings),
    "docs/api.md": ("routes", routes),
    "docs/limits-and-codes.md": ("limits", limits),
    "docs/cli.md": ("aliases", aliases),
}


def markdown(rows: list[list[str]]) -> str:
    """Rows as a table."""
    head, *body = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def written(page: str) -> str:
    """The page with its table as it should be."""
    name, rows = PAGES[page]
    text = (ROOT / page).read_text()
    begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{markdown(rows())}\n\n{end}{after}"


if __name__ == "__main__":
    for page in PAGES:
        text = written(page)
        (ROOT / page).write_text(text)
