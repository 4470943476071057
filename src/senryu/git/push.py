"""Rules of a push: which refs deploy, which are ignored, which are refused.

Source: https://devcenter.heroku.com/articles/git#deploy-from-a-branch-besides-main
"""

from __future__ import annotations

from dataclasses import dataclass

from senryu.core.errors import BadRequest, Conflict, Invalid

_DEPLOYED = ("refs/heads/main", "refs/heads/master")


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """One ref a push moves from `old` to `new`; all zeros stand for "none"."""

    old: str
    new: str
    ref: str

    @property
    def is_deletion(self) -> bool:
        """Whether the ref is to go."""
        return not self.new.strip("0")

    @property
    def is_creation(self) -> bool:
        """Whether the ref is new."""
        return not self.old.strip("0")

    @property
    def short(self) -> str:
        """`main` for `refs/heads/main`, `v1` for `refs/tags/v1`."""
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


@dataclass(frozen=True, slots=True)
class PushDecision:
    """What to do with a push: the ref to deploy, if any, and what to tell the pusher about the others."""

    deployed: RefUpdate | None
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tip:
    """What the repository knows of a ref about to be deployed: its value now, and what the new one is."""

    current: str | None
    kind: str | None
    has_submodules: bool


def ref_updates(lines: bytes) -> tuple[RefUpdate, ...]:
    """The `old new ref` lines that git gives its pre-receive hook. Raises: BadRequest."""
    updates = []
    for line in lines.decode("utf-8", "replace").splitlines():
        parts = line.split(" ", 2)
        if len(parts) != 3:
            raise BadRequest("The push could not be read; try again.")
        updates.append(RefUpdate(*parts))
    return tuple(updates)


def decide(updates: tuple[RefUpdate, ...]) -> PushDecision:
    """What to do with a push. Raises: Invalid when it must be refused as a whole."""
    for update in updates:
        if update.is_deletion:
            raise Invalid(
                f"`{update.short}` cannot be deleted from an app's repository; leave it, or remove the app with `senryu apps:destroy`."
            )
    deployed = [update for update in updates if update.ref in _DEPLOYED]
    if len(deployed) > 1:
        raise Invalid(
            "The push moves both `main` and `master`, and either would be deployed; push one of them, as in `git push senryu main`."
        )
    return PushDecision(deployed[0] if deployed else None, tuple(_notice(update) for update in updates if update.ref not in _DEPLOYED))


def _notice(update: RefUpdate) -> str:
    if update.ref.startswith("refs/heads/"):
        return (
            f"Pushed to branch `{update.short}`, which is kept but ignored: only `main` and `master` are built."
            f"\n       To deploy it: git push senryu {update.short}:main"
        )
    if update.ref.startswith("refs/tags/"):
        return (
            f"Pushed tag `{update.short}`, which is kept but ignored: only branches `main` and `master` are built."
            f"\n       To deploy it: git push senryu {update.short}^{{}}:main"
        )
    return f"Pushed `{update.ref}`, which is kept but ignored: only branches `main` and `master` are built."


def check_tip(update: RefUpdate, tip: Tip) -> tuple[str, ...]:
    """Notices about a ref about to be deployed.

    Raises: Conflict when another push moved it meanwhile (git would notice only after the deploy); Invalid when it is no commit.
    """
    if (tip.current or "") != ("" if update.is_creation else update.old):
        raise Conflict(f"Another push moved `{update.short}` while this one was on its way; `git fetch senryu`, then push again.")
    if tip.kind != "commit":
        raise Invalid(f"`{update.short}` can only be a commit; push a branch, or a tag as `git push senryu TAG^{{}}:main`.")
    if not tip.has_submodules:
        return ()
    return ("This repository has submodules (.gitmodules). They are not fetched: their folders will be empty. Commit their files instead.",)


def refusal(app_name: str, message: str) -> str:
    """What a pusher whose push is rejected sees last."""
    lines = "".join(f" !     {line}\n" for line in message.splitlines())
    return f"\n{lines} !\n !     Push rejected to {app_name}; what ran before still runs.\n\n"
