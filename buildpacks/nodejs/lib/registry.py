"""Fetches Node.js and npm from an npm registry, when the stack's own do not fit.

    registry.py satisfies VERSION RANGE
    registry.py install PACKAGE RANGE STORE [NODE_VERSION]    prints "VERSION FOLDER"

With NODE_VERSION only releases whose `engines.node` accepts it are considered. Runs in the build directory,
whose .npmrc may name the registry and its token; NPM_CONFIG_REGISTRY goes first.
Source: https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

import semver

PUBLIC_REGISTRY = "https://registry.npmjs.org/"
TIMEOUT_S = 30.0
FRESH_S = 24 * 3600.0
PACKAGE_MAX_BYTES = 300 * 1024 * 1024


class Refused(Exception):
    """One sentence for the user."""


def npmrc() -> dict[str, str]:
    """The app's .npmrc with `${NAME}` replaced from the environment."""
    path = pathlib.Path(".npmrc")
    settings: dict[str, str] = {}
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        name, found, value = line.partition("=")
        if found and not name.lstrip().startswith(("#", ";")):
            settings[name.strip()] = re.sub(
                r"\$\{(\w+)\}", lambda m: os.environ.get(m[1], ""), value.strip().strip('"')
            )
    return settings


def registry_url(settings: dict[str, str]) -> str:
    """The registry in force, ending in a slash."""
    in_environment = {name.lower(): value for name, value in os.environ.items()}.get("npm_config_registry")
    return (in_environment or settings.get("registry") or PUBLIC_REGISTRY).rstrip("/") + "/"


def fetch(url: str, settings: dict[str, str]) -> bytes:
    """The body at `url`. Raises Refused when the registry cannot be reached or has no such thing."""
    if not url.startswith(("https://", "http://")):
        raise Refused(f"the registry address {url} is neither http nor https")
    request = urllib.request.Request(url, headers={"Accept": "application/vnd.npm.install-v1+json, */*;q=0.8"})  # noqa: S310
    place = url.partition(":")[2]
    for name, token in settings.items():
        if name.endswith(":_authToken") and place.startswith(name[: -len(":_authToken")]):
            request.add_unredirected_header("Authorization", f"Bearer {token}")
    for attempt in (1, 2, 3):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                body: bytes = answer.read(PACKAGE_MAX_BYTES)
                return body
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == 3:
                raise Refused(f"the registry answered {error.code} for {url}") from error
        except (OSError, ValueError) as error:
            if attempt == 3:
                raise Refused(f"the registry cannot be reached at {url} ({error})") from error
        time.sleep(attempt)
    raise AssertionError("unreachable")


def metadata(package: str, store: pathlib.Path, settings: dict[str, str]) -> dict[str, Any]:
    """The package's releases: from the store while a day fresh, or when the registry is away."""
    kept = store / f"{package}.json"
    if kept.exists() and time.time() - kept.stat().st_mtime < FRESH_S:
        return dict(json.loads(kept.read_bytes()))
    try:
        body = fetch(registry_url(settings) + package, settings)
    except Refused:
        if kept.exists():
            return dict(json.loads(kept.read_bytes()))
        raise
    document = dict(json.loads(body))
    store.mkdir(parents=True, exist_ok=True)
    partial = store / f"{package}.json.{os.getpid()}"
    partial.write_bytes(body)
    partial.replace(kept)
    return document


def choose(document: dict[str, Any], wanted: str, node: str | None) -> str:
    """The newest release in the range. Raises Refused when there is none or the range is no range."""
    releases: dict[str, Any] = document["versions"]
    running = semver.parse(node or "")
    if running is not None:
        releases = {
            version: release for version, release in releases.items()
            if semver.satisfies(running, release.get("engines", {}).get("node", "*"))
        }
    try:
        version = semver.newest(releases, wanted)
    except ValueError as error:
        raise Refused(str(error)) from error
    if version is None:
        raise Refused(f"no release of `{document['name']}` fits `{wanted}`")
    return version


def verify(body: bytes, dist: dict[str, str]) -> None:
    """Raises Refused unless the tarball is what the registry's metadata promised."""
    algorithm, _, digest = dist.get("integrity", "").partition("-")
    if algorithm in ("sha512", "sha384", "sha256"):
        matches = base64.b64encode(hashlib.new(algorithm, body).digest()).decode() == digest
    else:
        # Releases older than 2017 have nothing better than SHA-1.
        matches = hashlib.sha1(body, usedforsecurity=False).hexdigest() == dist.get("shasum")
    if not matches:
        raise Refused(f"{dist['tarball']} does not match its checksum; push again, or check the registry's mirror")


def install(package: str, wanted: str, store: pathlib.Path, node: str | None = None) -> tuple[str, pathlib.Path]:
    """Makes sure a fitting release is unpacked in the store; gives its version and folder."""
    settings = npmrc()
    document = metadata(package, store, settings)
    version = choose(document, wanted, node)
    folder = store / f"{package}-{version}"
    if folder.is_dir():
        return version, folder
    dist: dict[str, str] = document["versions"][version]["dist"]
    body = fetch(dist["tarball"], settings)
    verify(body, dist)
    for old in store.glob(f"{package}-*"):
        shutil.rmtree(old, ignore_errors=True)
    unpacked = pathlib.Path(tempfile.mkdtemp(dir=store))
    subprocess.run(
        ["tar", "-xzf", "-", "--strip-components=1", "--no-same-owner", "-C", str(unpacked)], input=body, check=True
    )
    unpacked.chmod(0o755)
    unpacked.rename(folder)
    return version, folder


def main(verb: str, *words: str) -> int:
    """Carries out one verb; gives the exit status."""
    try:
        if verb == "satisfies":
            version = semver.parse(words[0])
            return 0 if version is not None and semver.satisfies(version, words[1]) else 1
        print(*install(words[0], words[1], pathlib.Path(words[2]), *words[3:4]))
    except ValueError:
        return 1
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
