"""config:edit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile

from senryu.cli.arguments import AN_APP, Command, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, hexagon, note
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.releases import made_by_change, name, see_through
from senryu.cli.remotes import app_for


def as_lines(values: dict[str, str]) -> str:
    """The variables as they stand in the editor: one `KEY=value` each, quoted as a shell would need it."""
    return "".join(f"{key}={shlex.quote(value)}\n" for key, value in sorted(values.items()))


def from_lines(text: str) -> dict[str, str]:
    """What the editor left. Raises `Failure` for an open quote or a line that is no `KEY=value`."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Failure(f"The edited config cannot be read ({error}), so nothing was changed") from error
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise Failure(f"`{word}` is no `KEY=value`, so nothing was changed", hint="Put a value with blanks in 'quotes'")
        values[key] = value
    return values


def changes(before: dict[str, str], after: dict[str, str]) -> dict[str, str | None]:
    """What to send: new and changed values, None for those that are gone."""
    gone: dict[str, str | None] = {key: None for key in before if key not in after}
    return gone | {key: value for key, value in after.items() if before.get(key) != value}


def _edited(text: str) -> str:
    """Lets the user edit the text; the file is theirs alone and gone afterwards."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="senryu-config-") as folder:
        path = os.path.join(folder, "config.env")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            status = subprocess.call([*shlex.split(editor), path])
        except FileNotFoundError as error:
            raise Failure(f"The editor `{editor}` is not installed", hint="Set EDITOR to one that is") from error
        if status != 0:
            raise Failure(f"The editor `{editor}` ended with status {status}, so nothing was changed")
        with open(path, encoding="utf-8") as file:
            return file.read()


def _edit(typed: Typed) -> None:
    app = app_for(typed)
    path = path_of("apps", app, "config-vars")
    with PlatformApi() as api:
        before: dict[str, str] = api.get(path)
        if typed.args:
            key = typed.first()
            after = before | {key: _edited(before.get(key, "") + "\n").removesuffix("\n")}
        else:
            after = from_lines(_edited(as_lines(before)))
        wanted = changes(before, after)
        if not wanted:
            return note("No changes")
        if api.get(path) != before:
            raise Failure(f"The config of {app} was changed by someone else meanwhile, so nothing was changed", hint="Edit it again")
        with Progress(f"Updating {', '.join(sorted(wanted))} and restarting {hexagon(app, sys.stderr)}") as progress:
            api.patch(path, wanted)
            release = made_by_change(api, app)
            progress.then = name(release)
        see_through(api, app, release)
    return None


TOPIC = {"config:edit": Command(_edit, "[KEY]", AN_APP, most=1, examples=("config:edit", "config:edit RAILS_ENV"))}
