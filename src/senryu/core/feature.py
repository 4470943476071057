"""Features: what an app or account may switch on at Heroku, and how this platform is.

Some can be switched off for an app; the others are facts about every app.
Source: schema `app-feature`, `account-feature`; https://devcenter.heroku.com/articles/heroku-labs
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from .errors import Invalid, NotFound

_IDS = UUID("b1f0f3f2-94a4-4a1e-8d0b-6c1b1c0f8a55")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature, on unless switched off. `state` is `general`, or `beta` for those that `labs` shows."""

    name: str
    display_name: str
    description: str
    doc_url: str
    state: str
    is_switchable: bool = False

    @property
    def id(self) -> UUID:
        """The same on every platform."""
        return uuid5(_IDS, self.name)


EXEC, METADATA, PREBOOT = "runtime-heroku-exec", "runtime-dyno-metadata", "preboot"
_LABS = "https://devcenter.heroku.com/articles"
APP_FEATURES = (
    Feature(PREBOOT, "Preboot", "New web dynos take requests before the old ones are stopped", f"{_LABS}/preboot", "general"),
    Feature(
        EXEC, "Heroku Exec", "Commands run inside running dynos (`senryu ps:exec`, run:inside)", f"{_LABS}/exec", "general", True
    ),
    Feature(
        METADATA,
        "Dyno Metadata",
        "Dynos are told their app's name, release and commit in HEROKU_ variables",
        f"{_LABS}/dyno-metadata",
        "beta",
        True,
    ),
)
ACCOUNT_FEATURES = (
    Feature(
        "dashboard-repositories-api",
        "Repositories API",
        "Pipelines' repositories are asked of the Platform API",
        f"{_LABS}/platform-api-reference",
        "general",
    ),
)


def feature_named(name: str, among: tuple[Feature, ...]) -> Feature:
    """A feature by name or id. Raises: NotFound."""
    for feature in among:
        if name in (feature.name, str(feature.id)):
            return feature
    raise NotFound(f"Couldn't find the feature `{name[:80]}`; this platform has {', '.join(each.name for each in among)}.")


def checked_switch(feature: Feature, enabled: bool | None, *, has_preboot: bool = True) -> bool:
    """Whether it is to be on. Raises: Invalid for one that is always on, or that the app's dynos cannot have (preboot of free and eco)."""
    if enabled is None:
        raise Invalid("`enabled` is missing; give true or false.")
    if feature.name == PREBOOT and not has_preboot:
        if enabled:
            raise Invalid("Free and Eco dynos have no preboot, since a process type has one of them only; choose a size with `ps:type`.")
        return False
    if not enabled and not feature.is_switchable:
        raise Invalid(f"{feature.name} is always on here and cannot be switched off.")
    return enabled
