"""What a client was told is done, and what it asked when the power went: the two together say what must be there after."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field

from system.person import App


@dataclass(slots=True)
class Ledger:
    """One app's history as its owner saw it. A change that was asked but not answered may be there or not."""

    config: dict[str, str] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    quantity: int = 1
    maybe_config: dict[str, str] = field(default_factory=dict)
    maybe_commit: str = ""
    maybe_quantity: int = 0
    releases: int = 1
    changes: int = 0

    def settle(self, app: App) -> list[str]:
        """Compares with what the platform says now, which then counts as acknowledged. Gives a sentence for each thing lost."""
        lost = []
        config: dict[str, str] = json.loads(app.senryu("config", "--json").stdout)
        for key, value in self.config.items():
            if config.get(key) not in {value, self.maybe_config.get(key)}:
                lost.append(f"config var {key} was acknowledged as {value} and is {config.get(key)}")
        for key in config.keys() - self.config.keys() - self.maybe_config.keys():
            lost.append(f"config var {key} was never set")
        releases = json.loads(app.senryu("releases", "-n", "1000", "--json").stdout)
        versions = sorted((int(release["version"]) for release in releases), reverse=True)
        if versions != list(range(len(versions), 0, -1)) or len(versions) < self.releases:
            lost.append(f"{self.releases} releases were acknowledged, there are {versions}")
        deployed = app.git("ls-remote", "senryu", "refs/heads/main").stdout.split()[:1]
        if self.commits and deployed not in ([self.commits[-1]], [self.maybe_commit]):
            lost.append(f"commit {self.commits[-1]} was acknowledged, the branch is at {deployed}")
        [formation] = [entry for entry in json.loads(app.senryu("ps:scale", "--json").stdout) if entry["type"] == "web"]
        if formation["quantity"] not in {self.quantity, self.maybe_quantity}:
            lost.append(f"web={self.quantity} was acknowledged, it is {formation['quantity']}")
        self.config, self.maybe_config = config, {}
        self.commits, self.maybe_commit = (deployed, "") if deployed else (self.commits, "")
        self.quantity, self.maybe_quantity, self.releases = formation["quantity"], 0, len(versions)
        return lost


class Owner(threading.Thread):
    """Changes an app, one thing after another, until told to end or until the platform is gone."""

    def __init__(self, app: App, ledger: Ledger, seed: int) -> None:
        super().__init__(daemon=True)
        self._app, self.ledger, self._random = app, ledger, random.Random(seed)
        self.enough = threading.Event()
        self.doing = "nothing"
        self.done: list[str] = []

    def run(self) -> None:
        while not self.enough.is_set():
            change = self._random.choice((self._deploy, self._deploy, self._set, self._scale))
            if not change():
                return
            self.done.append(self.doing)
            self.ledger.changes += 1

    def _deploy(self) -> bool:
        self.doing = "deploy"
        commit = self._app.commit({"note.txt": str(self._random.random())})
        self.ledger.maybe_commit = commit
        if self._app.push(check=False).returncode != 0:
            return False
        self.ledger.commits.append(commit)
        self.ledger.releases += 1
        return True

    def _set(self) -> bool:
        self.doing = "config:set"
        key, value = f"KEY_{self._random.randrange(5)}", str(self._random.random())
        self.ledger.maybe_config = {key: value}
        if self._app.senryu("config:set", f"{key}={value}", check=False).returncode != 0:
            return False
        self.ledger.config[key] = value
        self.ledger.maybe_config = {}
        self.ledger.releases += 1
        return True

    def _scale(self) -> bool:
        self.doing = "ps:scale"
        wanted = self._random.randint(1, 3)
        self.ledger.maybe_quantity = wanted
        if self._app.senryu("ps:scale", f"web={wanted}", check=False).returncode != 0:
            return False
        self.ledger.quantity, self.ledger.maybe_quantity = wanted, 0
        return True
