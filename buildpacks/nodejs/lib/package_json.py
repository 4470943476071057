"""Answers questions about an app's package.json, for the shell.

    package_json.py get FIELD           the value at a dotted path, empty when absent
    package_json.py lines FIELD         a list, one entry a line
    package_json.py has FIELD           exit status 0 when it is there and not empty
    package_json.py check               one line and exit status 1 when the file cannot be used
    package_json.py key EXTRA...        a digest of everything the dependency layer depends on

Runs in the build directory.
"""

import hashlib
import json
import pathlib
import sys
from typing import Any

DEPENDENCY_FIELDS = (
    "dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "bundleDependencies",
    "overrides", "resolutions", "workspaces", "pnpm", "packageManager", "engines", "dependenciesMeta", "allowScripts",
)
LAYER_FILES = (
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "pnpm-workspace.yaml",
    ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs",
)
PATCH_FOLDERS = ("patches", ".yarn/patches")


def read_package() -> dict[str, Any]:
    """The parsed file. Raises ValueError with one sentence when it is no JSON object."""
    try:
        package = json.loads(pathlib.Path("package.json").read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"package.json is not valid JSON: {error.msg} on line {error.lineno}") from error
    except UnicodeDecodeError as error:
        raise ValueError("package.json is not UTF-8 text") from error
    if not isinstance(package, dict):
        raise ValueError("package.json must hold a JSON object")
    return package


def value_at(package: dict[str, Any], field: str) -> Any:
    """The value at a dotted path, None when any part is missing."""
    value: Any = package
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def layer_key(package: dict[str, Any], extra: list[str]) -> str:
    """SHA-256 of the dependency fields, lock files, patches and `extra` (versions of the tools)."""
    digest = hashlib.sha256(json.dumps([extra, {name: package.get(name) for name in DEPENDENCY_FIELDS}]).encode())
    patches = [path for folder in PATCH_FOLDERS for path in sorted(pathlib.Path(folder).rglob("*"))]
    for path in [*map(pathlib.Path, LAYER_FILES), *patches]:
        if path.is_file():
            digest.update(f"{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def main(question: str, *words: str) -> int:
    """Answers one question on standard output; gives the exit status."""
    try:
        package = read_package()
    except ValueError as error:
        print(error)
        return 1
    if question == "key":
        print(layer_key(package, list(words)))
    elif question == "has":
        return 0 if value_at(package, words[0]) else 1
    elif question == "get":
        value = value_at(package, words[0])
        print(value if isinstance(value, str) else "" if value is None else json.dumps(value))
    elif question == "lines":
        value = value_at(package, words[0])
        for entry in value if isinstance(value, list) else []:
            print(entry)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
