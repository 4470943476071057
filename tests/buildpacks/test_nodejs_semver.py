"""npm version ranges, as package.json's `engines` uses them."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from .conftest import ROOT


def load_semver() -> ModuleType:
    spec = importlib.util.spec_from_file_location("nodejs_semver", ROOT / "buildpacks/nodejs/lib/semver.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


semver = load_semver()


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        ("20", "20.11.1", "21.0.0"),
        ("20.x", "20.0.0", "19.9.9"),
        ("20.11", "20.11.7", "20.12.0"),
        ("v20.11.1", "20.11.1", "20.11.2"),
        ("=20.11.1", "20.11.1", "20.11.0"),
        ("^20.11.1", "20.99.0", "20.11.0"),
        ("^20", "20.0.0", "21.0.0"),
        ("^0.10.2", "0.10.9", "0.11.0"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("~20.11.1", "20.11.9", "20.12.0"),
        ("~20", "20.99.0", "21.0.0"),
        ("~>20.11", "20.11.9", "20.12.0"),
        (">=18", "26.0.0", "17.9.9"),
        (">= 18.17.0", "18.17.0", "18.16.9"),
        (">18", "19.0.0", "18.9.0"),
        (">18.1.2", "18.1.3", "18.1.2"),
        ("<20", "19.9.9", "20.0.0"),
        ("<=20", "20.9.9", "21.0.0"),
        ("<=20.1.0", "20.1.0", "20.1.1"),
        (">=18 <21", "20.1.0", "21.0.0"),
        ("18 - 20", "20.9.0", "21.0.0"),
        ("18.0.0 - 20.1.0", "20.1.0", "20.1.1"),
        ("16.x || 20.x", "20.1.0", "18.0.0"),
        ("^18.17.0 || >=20.5.0", "22.0.0", "19.0.0"),
    ],
)
def test_a_range_takes_the_versions_npm_takes(wanted: str, inside: str, outside: str) -> None:
    assert semver.satisfies(semver.parse(inside), wanted)
    assert not semver.satisfies(semver.parse(outside), wanted)


@pytest.mark.parametrize("wanted", ["", "*", "x", "latest"])
def test_an_open_range_takes_every_release(wanted: str) -> None:
    assert semver.newest(["1.0.0", "10.0.0", "9.0.0", "11.0.0-rc.1"], wanted) == "10.0.0"


def test_nothing_is_chosen_when_no_release_fits() -> None:
    assert semver.newest(["1.0.0"], "2.x") is None


@pytest.mark.parametrize("wanted", ["twenty", "20.x; rm -rf", ">>18"])
def test_text_that_is_no_range_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match="is not a version range"):
        semver.intervals(wanted)
