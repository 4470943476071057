"""env: what the official `heroku` command line needs to speak to this platform.

Source: https://devcenter.heroku.com/articles/heroku-cli; docs/heroku-cli.md says what each variable is for.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from senryu.cli.arguments import Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.platform_api import PlatformApi, stored_token
from senryu.cli.platform_url import PlatformUrl, platform_url
from senryu.cli.remotes import shell_word
from senryu.cli.tunnel import folder_of, open_tunnel

# Those of the user's that stand aside, and come back with --unset.
_STANDS_ASIDE = ("NODE_EXTRA_CA_CERTS", "GIT_CONFIG_GLOBAL", "GIT_SSL_CAINFO", "HEROKU_API_KEY", "HEROKU_HEADERS")
_KEPT = "SENRYU_KEPT_"
_ORIGINS = (
    "HEROKU_HOST HEROKU_PARTICLEBOARD_URL HEROKU_LOGIN_HOST HEROKU_STATUS_HOST HEROKU_BUILDPACK_REGISTRY_URL HEROKU_EXEC_URL"
).split()
_SWITCHES = {
    "DISABLE_TELEMETRY": "true",
    "HEROKU_SKIP_NEW_VERSION_CHECK": "true",
    "HEROKU_DISABLE_AUTOUPDATE": "1",
    "HEROKU_NETRC_WRITE": "true",
}
ALL = (*_ORIGINS, "HEROKU_DATA_HOST", "PGDIAGNOSE_URL", *_SWITCHES, *_STANDS_ASIDE)


def is_here(url: PlatformUrl) -> bool:
    """Whether the official client takes the platform as it is: it accepts no other host names."""
    return url.host in ("localhost", "127.0.0.1")


def _tls_door(url: PlatformUrl) -> PlatformUrl:
    """The TLS address of a platform on this machine."""
    if url.scheme == "https":
        return PlatformUrl(f"https://localhost:{url.port}")
    port = os.environ.get("SENRYU_TLS_PORT", "")
    return PlatformUrl(f"https://localhost:{port if port.isascii() and port.isdigit() else 443 if url.port == 80 else 8443}")


def _before(name: str) -> str | None:
    """The user's own value, also when `senryu env` is in force already."""
    return os.environ.get(_KEPT + name) or (None if _KEPT + name in os.environ else os.environ.get(name))


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)
    return str(path)


def _bundle(folder: Path, name: str, own: str) -> str:
    """A file of our authority and of those that the user's variable named before."""
    before = _before(name)
    theirs = Path(before).read_text() if before and Path(before).is_file() else ""
    return _write(folder / f"{name.lower()}.pem", f"{theirs.rstrip()}\n{own}".lstrip("\n"))


def _gitconfig(folder: Path, door: PlatformUrl, authority: str) -> str:
    """The user's global settings and two of ours. The official client writes here instead of into the user's own file."""
    before = _before("GIT_CONFIG_GLOBAL")
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    included = [before] if before else [f"{home}/git/config", "~/.gitconfig"]
    lines = ["[include]", *(f'\tpath = "{path}"' for path in included)]
    lines += [f'[http "{door}"]', f'\tsslCAInfo = "{authority}"']
    lines += [f'[credential "{door}"]', '\thelper = "!heroku git:credentials"']
    return _write(folder / "gitconfig", "\n".join(lines) + "\n")


def variables(door: PlatformUrl, *, folder: Path, authority: str, token: str | None, terminals: int | None = None) -> dict[str, str]:
    """The environment of the official client.

    Takes: the platform's TLS address as this machine reaches it, where files may be kept, the platform's authority in PEM, a token or
    None, and the port of this machine that leads to terminals when it is not the platform's own.
    Writes three files into the folder; nothing else of the user's is touched.
    """
    own = _write(folder / "ca.pem", authority)
    found = {name: str(door) for name in _ORIGINS}
    found |= {"HEROKU_DATA_HOST": "localhost", "PGDIAGNOSE_URL": "localhost", **_SWITCHES}
    found["NODE_EXTRA_CA_CERTS"] = _bundle(folder, "NODE_EXTRA_CA_CERTS", authority)
    if _before("GIT_SSL_CAINFO"):  # it would beat the file's sslCAInfo
        found["GIT_SSL_CAINFO"] = _bundle(folder, "GIT_SSL_CAINFO", authority)
    found["GIT_CONFIG_GLOBAL"] = _gitconfig(folder, door, own)
    if terminals is not None:
        found["HEROKU_HEADERS"] = _headers(terminals)
    if token:
        found["HEROKU_API_KEY"] = token
    return found


def _headers(terminals: int) -> str:
    """The user's own headers and one of ours: where this machine forwards terminals from."""
    try:
        before = json.loads(_before("HEROKU_HEADERS") or "{}")
    except ValueError:
        before = {}
    return json.dumps({**(before if isinstance(before, dict) else {}), "Senryu-Rendezvous": f"localhost:{terminals}"})


def environment(
    url: PlatformUrl, *, authority: str | None = None, ports: tuple[int, int] | None = None, has_token: bool = True
) -> dict[str, str]:
    """What `variables` gives for a platform on this machine, or (`ports`) for one that a tunnel leads to."""
    token = stored_token(url) if has_token else None
    door = PlatformUrl(f"https://localhost:{ports[0]}") if ports else _tls_door(url)
    folder = folder_of(url if ports else door)
    found = authority or _authority(url, None)
    return variables(door, folder=folder, authority=found, token=token, terminals=ports[1] if ports else None)


def _authority(url: PlatformUrl, file: str | None) -> str:
    if file:
        return Path(file).read_text()
    with PlatformApi(url, "") as api:
        found = api.certificate_authority()
    if found is None:
        raise Failure(f"{url} has no certificate authority of its own", hint="Name its file with `--ca FILE`")
    return found


def _env(typed: Typed) -> None:
    if typed.on("unset"):
        return _unset()
    url = platform_url()
    authority = _authority(url, typed.text("ca"))
    ports = None if is_here(url) else open_tunnel(url, authority)
    if ports is None and not is_here(url):
        raise Failure(
            f"The official heroku command line accepts a platform on localhost only, not {url}",
            hint="Run `senryu tunnel` in another terminal and leave it open, or use `senryu heroku -- COMMAND`",
        )
    wanted = environment(url, authority=authority, ports=ports, has_token=not typed.on("no-key"))
    for name in _STANDS_ASIDE:
        if name in wanted and _KEPT + name not in os.environ:
            print(f"export {_KEPT}{name}={shell_word(os.environ.get(name, ''))}")
    for name, value in wanted.items():
        print(f"export {name}={shell_word(value)}")
    return None


def _unset() -> None:
    for name in ALL:
        kept = os.environ.get(_KEPT + name)
        print(f"export {name}={shell_word(kept)}" if kept else f"unset {name}")
        if name in _STANDS_ASIDE:
            print(f"unset {_KEPT}{name}")


TOPIC = {
    "env": Command(
        _env,
        "",
        (
            Flag("unset", "u", "", "print what undoes it"),
            Flag("no-key", "", "", "leave the token out, so that `heroku login` asks for one"),
            Flag("ca", "", "FILE", "the platform's certificate authority, when it cannot be asked for"),
        ),
        examples=("env", "env --unset"),
    ),
}
