"""The tutorial can be read as commands with what they say, as tests/course types them."""

from __future__ import annotations

from course.page import Command, blocks, is_like

from .tables import ROOT


def test_the_tutorial_is_commands_with_their_answers() -> None:
    page = blocks(ROOT / "docs/tutorial.md")
    assert [block.kind for block in page].count("other-terminal") == 2
    commands = [command for block in page for command in block.commands]
    assert len(commands) > 40
    assert [command.text for command in commands if command.is_refused] == ["senryu run rake db:migrate"]


def test_an_answer_is_like_the_page_where_only_what_the_page_leaves_out_differs() -> None:
    assert is_like("Released v… by …", "Released v12 by you")
    assert not is_like("Released v2", "Released v21")
    push = Command("git push", ["remote: one", "…", "two"])
    assert push.missing("remote:   one   \nsomething\ntwo") == []
    assert push.missing("two\none") == ["two"]
    assert Command("senryu logs", ["one", "two"]).missing("two\none") == []
