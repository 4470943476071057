"""What the flow inside the container is told: which buildpacks, in which order, under which names. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from senryu.core.build import BuildOrder
from senryu.core.buildpack import BUILT_IN, Buildpack
from senryu.core.errors import Invalid
from senryu.core.first_database import MANIFEST_MAX_BYTES, MANIFESTS
from senryu.core.limits import KIB, PROCFILE_MAX_BYTES, SLUG_UNPACKED_MAX_BYTES, SLUG_UNPACKED_MAX_FILES, SOURCE_MAX_BYTES

_ARCHIVE = re.compile(r"\.(?:tgz|tar\.gz|tar|zip)$", re.IGNORECASE)
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@-]{0,200}")
_CONFIG_VAR = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


def plan(buildpacks: Sequence[Buildpack]) -> str:
    """The plan file; flow/build.sh says its form. Raises: Invalid for an address with a strange `#ref`."""
    if not buildpacks:
        return "\n".join(["detect", *(_line(Buildpack(f"heroku/{name}")) for name in BUILT_IN), ""])
    return "\n".join(["given", *map(_line, buildpacks), ""])


def names(buildpacks: Sequence[Buildpack]) -> list[str]:
    """What lists show of the buildpacks a plan may use, in its order."""
    return [shown(pack) for pack in buildpacks or [Buildpack(f"heroku/{name}") for name in BUILT_IN]]


def shown(pack: Buildpack) -> str:
    """A buildpack's name without a password in its address."""
    if pack.built_in:
        return pack.name
    parts = urlsplit(pack.url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _line(pack: Buildpack) -> str:
    if pack.built_in:
        return f"built-in\t{pack.built_in}\t{shown(pack)}"
    address, _, ref = pack.url.partition("#")
    key = hashlib.sha256(pack.url.encode()).hexdigest()[:20]
    if re.search(r"[\s\x00-\x1f]", pack.url) or urlsplit(address).scheme not in ("http", "https", "git"):
        raise Invalid(f"The buildpack `{shown(pack)[:200]}` has no address that can be fetched; use http, https or git.")
    if _ARCHIVE.search(urlsplit(address).path):
        return f"archive\t{key}\t{shown(pack)}\t{address}"
    if ref and _REF.fullmatch(ref) is None:
        raise Invalid(f"The buildpack `{shown(pack)[:200]}` names no branch, tag or commit after `#`; correct it.")
    return f"git\t{key}\t{shown(pack)}\t{address}\t{ref}".rstrip("\t")


def environment(order: BuildOrder) -> dict[str, str]:
    """The environment of a build. Config vars are not in it: buildpacks read them from ENV_DIR."""
    wanted = {
        "HOME": "/app",
        "PATH": "/opt/senryu/tools/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "XDG_CACHE_HOME": "/tmp/.cache",
        "STACK": order.stack,
        "BUILD_DIR": "/app",
        "DYNO": f"build.{order.id.hex[:8]}",
        "REQUEST_ID": str(order.id),
        "SENRYU_SOURCE_MAX_BYTES": str(SOURCE_MAX_BYTES),
        "SENRYU_FILE_MAX_KIB": str(SLUG_UNPACKED_MAX_BYTES // KIB),
        "SENRYU_UNPACKED_MAX_BYTES": str(SLUG_UNPACKED_MAX_BYTES),
        "SENRYU_FILES_MAX": str(SLUG_UNPACKED_MAX_FILES),
        "SENRYU_PROCFILE_MAX_BYTES": str(PROCFILE_MAX_BYTES + 1),
        "SENRYU_MANIFESTS": " ".join(MANIFESTS),
        "SENRYU_MANIFEST_MAX_BYTES": str(MANIFEST_MAX_BYTES),
    }
    version = order.source.version or ""
    if re.fullmatch(r"[\x20-\x7e]{1,200}", version):
        wanted["SOURCE_VERSION"] = version
    return wanted


def env_files(config: Mapping[str, str]) -> dict[str, str]:
    """The files of ENV_DIR. A name that could be no file of it is left out."""
    return {name: value for name, value in config.items() if _CONFIG_VAR.fullmatch(name)}
