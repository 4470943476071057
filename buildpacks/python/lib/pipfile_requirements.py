"""Turns a Pipfile or Pipfile.lock into requirements lines, on standard output.

Takes one argument, the file. Development packages are left out. Source of the lock format: https://pipenv.pypa.io
"""

import json
import os
import sys
import tomllib
from typing import Any


def main(path: str) -> None:
    if path.endswith(".lock"):
        with open(path, encoding="utf-8") as file:
            lock = json.load(file)
        sources, packages = lock.get("_meta", {}).get("sources", []), lock.get("default", {})
    else:
        with open(path, "rb") as file:
            pipfile = tomllib.load(file)
        sources, packages = pipfile.get("source", []), pipfile.get("packages", {})
    for line in [*source_lines(sources), *(requirement(name, asked) for name, asked in sorted(packages.items()))]:
        print(line)


def source_lines(sources: list[dict[str, Any]]) -> list[str]:
    """Index options; an index in the config vars wins over the file's first one."""
    urls = [os.path.expandvars(source["url"]) for source in sources]
    options = [] if os.environ.get("UV_DEFAULT_INDEX") else [f"--index-url {url}" for url in urls[:1]]
    return options + [f"--extra-index-url {url}" for url in urls[1:]]


def requirement(name: str, asked: str | dict[str, Any]) -> str:
    """One package: ``"*"``, ``"==1.2"``, or a table with version, extras, markers, hashes, git or path."""
    if isinstance(asked, str):
        asked = {"version": asked}
    if asked.get("editable") and "path" in asked:
        return f"--editable {asked['path']}{extras(asked)}"
    version = asked.get("version", "*").replace("*", "") if not located(asked) else ""
    line = f"{name}{extras(asked)}{version}{located(asked)}"
    if asked.get("markers"):
        line += f" ; {asked['markers']}"
    return " ".join([line, *(f"--hash={value}" for value in asked.get("hashes", []))])


def extras(asked: dict[str, Any]) -> str:
    return f"[{','.join(asked['extras'])}]" if asked.get("extras") else ""


def located(asked: dict[str, Any]) -> str:
    if "git" in asked:
        ref = f"@{asked['ref']}" if asked.get("ref") else ""
        place = f"#subdirectory={asked['subdirectory']}" if asked.get("subdirectory") else ""
        return f" @ git+{asked['git'].removeprefix('git+')}{ref}{place}"
    if "file" in asked:
        return f" @ {asked['file']}"
    if "path" in asked:
        return f" @ file://{os.path.abspath(asked['path'])}"
    return ""


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"{type(error).__name__}: {error}" if not str(error) else str(error))
