"""`senryud`'s command line: serve, prepare, install, config."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from .config import SETTINGS, WITH_PASSWORDS, Settings, explained, settings
from .core.errors import Invalid, PlatformError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="senryud", description="The Senryu platform.")
    for name, (variable, default, meaning) in SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, help=f"{meaning} ({variable}; default {default})")
    verbs = parser.add_subparsers(dest="verb")
    verbs.add_parser("serve", help="run the platform in the foreground (the default)")
    verbs.add_parser("prepare", help="make or upgrade what the platform starts from: database, router files, keys")
    verbs.add_parser("config", help="print the settings in force")
    install = verbs.add_parser("install", help="write the services that keep the platform running")
    kind = install.add_mutually_exclusive_group(required=True)
    kind.add_argument("--systemd", action="store_true", help="units in /etc/systemd/system")
    kind.add_argument("--runit", action="store_true", help="service directories below the home, for runsvdir")
    install.add_argument("--units-dir", default="/etc/systemd/system", help="where systemd units go")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Gives the exit status; problems are one sentence on stderr."""
    given = _parser().parse_args(argv)
    try:
        wanted = settings({name: getattr(given, name) for name in SETTINGS})
        return _do(given, wanted)
    except PlatformError as problem:
        print(f"senryud: {problem.message}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError:
        print("senryud: the platform could not be prepared; the lines above say why.", file=sys.stderr)
        return 1
    except PermissionError as problem:
        print(f"senryud: {problem.filename} cannot be written; run this as root, or as the user `senryu`.", file=sys.stderr)
        return 77


def _do(given: argparse.Namespace, wanted: Settings) -> int:
    if given.verb == "config":
        for name, value, source in explained({name: getattr(given, name) for name in SETTINGS}, wanted):
            print(f"{name} = {value}  ({source})")
        return 0
    if given.verb == "prepare":
        from .install.prepare import prepare

        return prepare(wanted)
    if given.verb == "install":
        kept, file = settings({"home": wanted.home}, {}), wanted.home / "senryu.toml"
        for name in WITH_PASSWORDS:
            if getattr(kept, name) != getattr(wanted, name):
                raise Invalid(f"Write `{name}` into {file}: services take it from there, where its password is safe.")
        from .install import runit, systemd

        written = systemd.install(wanted, given.units_dir) if given.systemd else runit.install(wanted)
        print("\n".join(str(path) for path in written))
        return 0
    from .left_out import leave_out

    leave_out()
    from .serve import run

    return run(wanted)
