"""Features: what an app or account may switch on at Heroku, and how this platform is.

Nothing can be switched here yet: each feature is a fact about every app.
Source: schema `app-feature`, `account-feature`; https://devcenter.heroku.com/articles/heroku-labs
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from .errors import Invalid, NotFound

_IDS = UUID("b1f0f3f2-94a4-4a1e-8d0b-6c1b1c0f8a55")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature. `state` is `general`, or `beta` for those that `labs` shows."""

    name: str
    display_name: str
    description: str
    doc_url: str
    state: str
    is_enabled: bool = True

    @property
    def id(self) -> UUID:
        """The same on every platform."""
        return uuid5(_IDS, self.name)


_LABS = "https://devcenter.heroku.com/articles"
APP_FEATURES = (
    Feature("preboot", "Preboot", "New web dynos take requests before the old ones are stopped", f"{_LABS}/preboot", "general"),
    Feature(
        "runtime-heroku-exec", "Heroku Exec", "Commands run inside running dynos (`senryu ps:exec`, run:inside)", f"{_LABS}/exec", "general"
    ),
    Feature(
        "runtime-dyno-metadata",
        "Dyno Metadata",
        "Dynos are told their app's name, release and commit in HEROKU_ variables",
        f"{_LABS}/dyno-metadata",
        "beta",
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


def checked_switch(feature: Feature, enabled: bool | None) -> Feature:
    """The feature, when that is how it is already. Raises: Invalid, as nothing can be switched."""
    if enabled is None:
        raise Invalid("`enabled` is missing; give true or false.")
    if enabled != feature.is_enabled:
        raise Invalid(f"{feature.name} is always on here and cannot be switched off.")
    return feature
