"""builds:create: a directory becomes a release without git.

Source: https://devcenter.heroku.com/articles/build-and-release-using-the-api#creating-builds
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import tarfile
import tempfile
from typing import IO
from urllib.parse import urlsplit

from senryu.cli import remotes
from senryu.cli.arguments import AN_APP, Command, Flag, Typed
from senryu.cli.failure import API, Failure
from senryu.cli.output import Progress, hexagon, say
from senryu.cli.output_stream import follow
from senryu.cli.platform_api import Connection, PlatformApi, path_of
from senryu.cli.platform_url import PlatformUrl

UPLOAD_TIMEOUT_S = 300.0
_REFUSAL_MAX_BYTES = 64 * 1024


def files(folder: str) -> list[str]:
    """The paths to send, relative: in a git repository what git does not ignore, elsewhere everything."""
    listed = remotes.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=folder)
    if listed is not None:
        return sorted({path for path in listed.split("\0") if path and os.path.lexists(os.path.join(folder, path))})
    found: list[str] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        found += [os.path.relpath(os.path.join(root, name), folder) for name in names]
    return sorted(found)


def pack(folder: str, target: IO[bytes]) -> None:
    """Writes the folder's files as a tar.gz. Raises `Failure` when there are none."""
    paths = files(folder)
    if not paths:
        raise Failure(f"`{folder}` has no files to build", hint="Name the app's folder with `--source-dir`")
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=6) as archive:
        for path in paths:
            archive.add(os.path.join(folder, path), arcname=path, recursive=False, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _upload(url: str, archive: IO[bytes]) -> None:
    parts = urlsplit(url)
    size = archive.seek(0, os.SEEK_END)
    archive.seek(0)
    connection = Connection(PlatformUrl(f"{parts.scheme}://{parts.netloc}"), UPLOAD_TIMEOUT_S)
    try:
        path = f"{parts.path}{f'?{parts.query}' if parts.query else ''}"
        with contextlib.suppress(ConnectionError):  # a platform that refuses may do so before it has read everything
            connection.request("PUT", path, archive, {"Content-Length": str(size), "Content-Type": ""})
        answer = connection.getresponse()
        said = answer.read(_REFUSAL_MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"The upload of the source broke off: {error}", status=API) from error
    finally:
        connection.close()
    if answer.status >= 300:
        raise Failure(_reason(said) or f"The platform refused the source: status {answer.status}", status=API)


def _reason(said: bytes) -> str:
    """The sentence of an answer that refuses, empty when it has none."""
    try:
        body = json.loads(said)
    except ValueError:
        return ""
    return str(body.get("message") or "") if isinstance(body, dict) else ""


def _source(typed: Typed, api: PlatformApi) -> str:
    """Sends the source and gives the address that the build reads it from."""
    if typed.text("source-url"):
        return str(typed.text("source-url"))
    given = typed.text("source-tar")
    folder = typed.text("source-dir") or typed.first(".")
    if not given and not os.path.isdir(folder):
        raise Failure(f"`{folder}` is no folder", hint="Name the app's folder with `--source-dir`")
    with tempfile.TemporaryFile() if not given else open(given, "rb") as archive:
        if not given:
            pack(folder, archive)
        blob = api.post("/sources")["source_blob"]
        with Progress("Uploading source"):
            _upload(blob["put_url"], archive)
    return str(blob["get_url"])


def _create(typed: Typed) -> None:
    app = remotes.app_for(typed)
    with PlatformApi() as api:
        url = _source(typed, api)
        with Progress(f"Building {hexagon(app)}"):
            build = api.post(path_of("apps", app, "builds"), {"source_blob": {"url": url, "version": typed.text("version")}})
        if build.get("output_stream_url"):
            follow(build["output_stream_url"])
        build = api.get(path_of("apps", app, "builds", build["id"]))
        if build["status"] == "failed":
            raise Failure(f"The build of {app} failed", hint="What it printed says why", status=1)
        if build.get("release"):
            release = api.get(path_of("apps", app, "releases", build["release"]["id"]))
            say(f"Released v{release['version']}")


TOPIC = {
    "builds:create": Command(
        _create, "[FOLDER]",
        (
            *AN_APP,
            Flag("source-dir", "", "FOLDER", "folder to build (the current one)"),
            Flag("source-tar", "", "FILE", "tar.gz to build"),
            Flag("source-url", "", "URL", "address of a tar.gz to build"),
            Flag("version", "", "TEXT", "what the source is, such as a commit"),
        ),
        most=1, examples=("builds:create --app myapp", "builds:create --source-dir ./site --version v1.2"),
    ),
}  # fmt: skip
