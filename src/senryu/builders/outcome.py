"""What a build left behind, read without believing any of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from senryu.core import procfile
from senryu.core.build import BuildFailed
from senryu.core.config_var import checked_key
from senryu.core.errors import Invalid
from senryu.core.first_database import MANIFESTS, wanted_by
from senryu.core.limits import BUILD_DISK_BYTES, BUILD_MEMORY_BYTES, GIB, KIB, MIB, PROCFILE_MAX_BYTES
from senryu.core.log_line import cleaned

_RELEASE_MAX_BYTES = 64 * KIB
_SENTENCE_MAX_BYTES = 2 * KIB
_TITLE_MAX_CHARS = 100
_BUILDPACKS_MAX = 50


@dataclass(frozen=True, slots=True)
class ReleaseText:
    """What one buildpack's bin/release asks for. Source: Dev Center, buildpack-api#bin-release."""

    default_process_types: Mapping[str, str] = field(default_factory=dict)
    config_vars: Mapping[str, str] = field(default_factory=dict)
    addons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A build's result but for its slug. `process_types` are the Procfile's over the last buildpack's defaults."""

    declared: Mapping[str, str]
    defaults: Mapping[str, str]
    config_vars: Mapping[str, str]
    addons: tuple[str, ...]
    buildpacks: tuple[str, ...]
    title: str

    @property
    def process_types(self) -> dict[str, str]:
        """All process types; a Procfile's line replaces the default of the same name."""
        return {**self.defaults, **self.declared}


def read(out: Path, names: Sequence[str]) -> Outcome:
    """What lies in a build's `out` directory; `names` are the buildpacks it could use. Raises: BuildFailed for a bad Procfile."""
    releases = [release_text(_content(out / f"release.{number}", _RELEASE_MAX_BYTES)) for number in range(_BUILDPACKS_MAX)]
    last = next((release for release in reversed(releases) if release is not None), ReleaseText())
    found = [release for release in releases if release is not None]
    try:
        declared = procfile.parse(_content(out / "Procfile", PROCFILE_MAX_BYTES + 1) or b"")
    except Invalid as error:
        raise BuildFailed(error.message) from None
    used = (_content(out / "used", _RELEASE_MAX_BYTES) or b"").decode("utf-8", "replace").splitlines()
    title = cleaned((_content(out / "title", _SENTENCE_MAX_BYTES) or b"")[:_SENTENCE_MAX_BYTES])
    return Outcome(
        declared=declared,
        defaults=last.default_process_types,
        config_vars={key: value for release in found for key, value in release.config_vars.items()},
        addons=tuple(dict.fromkeys(addon for release in found for addon in release.addons)),
        buildpacks=tuple(name for name in used[:_BUILDPACKS_MAX] if name in names),
        title=title.strip()[:_TITLE_MAX_CHARS] or "App",
    )


def database_wanted_by(out: Path, addons: Sequence[str]) -> str | None:
    """Why the app is to have a database, by the manifests that lie in a build's `out` directory. Takes up to half a second."""
    manifests = {name: _content(out / f"manifest.{name}", most) or b"" for name, (most, _) in MANIFESTS.items()}
    return wanted_by(manifests, addons)


def release_text(content: bytes | None) -> ReleaseText | None:
    """The YAML of bin/release, as far as it is what it should be; None when there is none or it cannot be read."""
    if content is None:
        return None
    import yaml  # 1 MB that a senryud without builds does not hold

    try:
        parsed = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    if not isinstance(parsed, dict):
        return ReleaseText()
    addons = parsed.get("addons")
    return ReleaseText(
        default_process_types=_process_types(_texts(parsed.get("default_process_types"))),
        config_vars=_config_vars(_texts(parsed.get("config_vars"))),
        addons=tuple(addon for addon in addons if isinstance(addon, str))[:_BUILDPACKS_MAX] if isinstance(addons, list) else (),
    )


def _texts(mapping: object) -> dict[str, str]:
    if not isinstance(mapping, dict):
        return {}
    plain = {key: str(value).lower() if isinstance(value, bool) else value for key, value in mapping.items() if isinstance(key, str)}
    return {key: str(value) for key, value in plain.items() if isinstance(value, (str, int, float))}


def _process_types(wanted: Mapping[str, str]) -> dict[str, str]:
    types: dict[str, str] = {}
    for name, command in wanted.items():
        try:
            types.update(procfile.parse(f"{name}: {command.strip()}".encode()))
        except Invalid:
            continue
    return types


def _config_vars(wanted: Mapping[str, str]) -> dict[str, str]:
    config: dict[str, str] = {}
    for key, value in wanted.items():
        try:
            if "\0" not in value:
                config[checked_key(key)] = value
        except Invalid:
            continue
    return config


def discovery(outcome: Outcome) -> str:
    """What the pusher is told about process types."""
    lines = ["-----> Discovering process types", f"       Procfile declares types -> {', '.join(outcome.declared) or '(none)'}"]
    added = [name for name in outcome.defaults if name not in outcome.declared]
    if added:
        lines.append(f"       Default types for {outcome.title} -> {', '.join(added)}")
    return "\n".join([*lines, ""])


def failure(out: Path, *, status: int | None, is_out_of_memory: bool, is_out_of_disk: bool) -> BuildFailed:
    """Why a build failed and what to do, in a sentence."""
    if is_out_of_memory:
        return BuildFailed(
            f"The build needed more than {BUILD_MEMORY_BYTES // GIB} GB of memory and was ended;"
            " let it run fewer jobs at once or build less."
        )
    if is_out_of_disk:
        return BuildFailed(f"The build filled its {BUILD_DISK_BYTES // GIB} GB disk; remove large files or dependencies and push again.")
    sentence = cleaned((_content(out / "failure", _SENTENCE_MAX_BYTES) or b"").strip())
    if sentence:
        return BuildFailed(sentence)
    return BuildFailed(f"The build was ended from outside (status {status}); push again.")


def readable(size_bytes: int) -> str:
    """`12.3K`, `8.1M`, as Heroku shows a slug's size."""
    return f"{size_bytes / MIB:.1f}M" if size_bytes >= MIB else f"{size_bytes / KIB:.1f}K"


def _content(path: Path, max_bytes: int) -> bytes | None:
    """A small plain file's content; None for anything else, such as a link out of the directory or a FIFO nobody writes to."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, max_bytes)
    except OSError:
        return None
    finally:
        os.close(descriptor)
