"""What the documents name exists: files, functions, commands, settings; and documents have their parts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from senryu.cli.commands import find
from senryu.config import SETTINGS

from .tables import ROOT

PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "decisions").glob("*.md"))
RECORDS = [page for page in PAGES if re.match(r"\d{4}-", page.name)]
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
# Where a name in backticks may be meant from; a home is not a checkout.
_ROOTS = (ROOT, ROOT / "src/senryu", ROOT / "src")
_HOME = (
    "agent cache builds db blobs logs repos router run secrets services stacks streams tls tools venv example bin sources slugs log certs"
    " disks dynos runc lot operator-password example-app"
).split()
_FILE = re.compile(
    r"(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+\.(?:py|md|sh|lua|txt|lock)"
    r"|(?:src|tests|buildpacks|examples|install|bin|docs|decisions)/[A-Za-z0-9_./-]+"
)
_NOT_OURS = set(
    "app.py main.py server.py manage.py setup.py requirements.txt runtime.txt config.ru"
    " uv.lock Pipfile.lock Gemfile.lock poetry.lock".split()
)
_NOT_PYTHON = {"br_netfilter", "no_new_privs"}
_BUILDPACK_PARTS = {"bin/detect", "bin/compile", "bin/release", "bin/uv"}
_VARIABLE = re.compile(r"SENRYU_[A-Z_]+")


def spans(page: Path) -> list[str]:
    return _SPAN.findall(_FENCE.sub("", page.read_text()))


def sources() -> str:
    places = [*(ROOT / "src").rglob("*.py"), *(ROOT / "src").rglob("*.lua"), *(ROOT / "src").rglob("*.sh")]
    scripts = [ROOT / name for name in ("quickstart", "install/steps.sh", "bin/senryu", "test")]
    return "\n".join(path.read_text() for path in [*places, *scripts])


def is_there(name: str, page: Path) -> bool:
    return any((root / name).exists() for root in (*_ROOTS, page.parent)) or any(ROOT.glob(f"src/senryu/*/{name}"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_a_document_names_exists(page: Path) -> None:
    named = {span for span in spans(page) if _FILE.fullmatch(span)} - _NOT_OURS - _BUILDPACK_PARTS
    below_home = {name for name in named if name.split("/")[0] in _HOME and not name.endswith(".py")}
    missing = [name for name in named - below_home if not is_there(name, page)]
    made = re.findall(r'"([a-z-]+\.(?:lua|log|map|cfg|pem|key|sock|lock))"', sources())
    assert [name for name in missing if name.split("/")[-1] not in made] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_document_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_function_or_class_a_document_names_exists(page: Path) -> None:
    text = sources() + "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    named = {span for span in spans(page) if re.fullmatch(r"_?[a-z]+(?:_[a-z]+)+|[A-Z][a-z]+(?:[A-Z][a-z]+)+", span)}
    absent = {name for name in named if not re.search(rf"\b{name}\b", text)}
    assert absent - _NOT_PYTHON == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_name_said_to_be_in_a_file_is_there(page: Path) -> None:
    text = _FENCE.sub("", page.read_text())
    pairs = [(file, name) for name, file in re.findall(r"`(\w+)` in `([\w/]+\.py)`", text)]
    pairs += re.findall(r"`([\w/]+\.py)` `(\w+)`", text)
    for file, name in pairs:
        found = next(root / file for root in _ROOTS if (root / file).exists())
        assert re.search(rf"\b(?:def|class) {name}\b|^{name}\b", found.read_text(), re.MULTILINE), f"{name} is not in {file}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_a_document_types_exists(page: Path) -> None:
    text = page.read_text()
    typed = re.findall(r"(?:^|[`$&(] ?)(?:bin/)?senryu ([a-z][a-z:-]*)", text, re.MULTILINE)
    assert [name for name in typed if find(name.rstrip(":")) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_a_document_names_is_read_somewhere(page: Path) -> None:
    text = sources()
    named = set(_VARIABLE.findall(page.read_text()))
    assert [name for name in named if not re.search(rf"\b{name}\b", text)] == []


def test_every_setting_is_described_in_the_manual() -> None:
    page = (ROOT / "docs/config-settings.md").read_text()
    assert [name for name, (variable, _, _) in SETTINGS.items() if f"`{name}`" not in page or f"`{variable}`" not in page] == []


@pytest.mark.parametrize("page", RECORDS, ids=lambda page: page.name)
def test_a_decision_record_has_its_parts_on_one_page(page: Path) -> None:
    text = page.read_text()
    parts = re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)
    assert parts == ["Context", "Decision", "Evidence", "Consequences", "Rejected"]
    assert text.startswith(f"# {page.name[:4]} ")
    assert len(text.splitlines()) <= 60


def test_the_list_of_decisions_is_complete() -> None:
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (ROOT / "decisions/README.md").read_text())
    assert listed == [page.name for page in RECORDS]


def test_the_changelog_has_what_is_unreleased() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_names_every_room_and_every_page_of_the_manual() -> None:
    text = (ROOT / "README.md").read_text()
    rooms = [path.name for path in (ROOT / "src/senryu").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [room for room in rooms if f"`src/senryu/{room}`" not in text] == []
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name})" not in text] == []
