"""The rules of a push and of packet lines, as tables."""

from __future__ import annotations

import pytest

from senryu.core.errors import BadRequest, Conflict, Invalid
from senryu.git.pkt_line import FLUSH, RefListBound, packet
from senryu.git.push import RefUpdate, Tip, check_tip, decide, ref_updates, refusal

NONE = "0" * 40
ONE = "1" * 40
TWO = "2" * 40


def test_lines_of_git_become_ref_updates() -> None:
    assert ref_updates(f"{NONE} {ONE} refs/heads/main\n".encode()) == (RefUpdate(NONE, ONE, "refs/heads/main"),)
    with pytest.raises(BadRequest):
        ref_updates(b"nonsense\n")


@pytest.mark.parametrize(
    ("refs", "deployed", "notices"),
    [
        (["refs/heads/main"], "refs/heads/main", 0),
        (["refs/heads/master"], "refs/heads/master", 0),
        (["refs/heads/feature"], None, 1),
        (["refs/tags/main"], None, 1),
        (["refs/notes/commits"], None, 1),
        (["refs/heads/main/x"], None, 1),
        (["refs/heads/a", "refs/heads/main", "refs/tags/v1"], "refs/heads/main", 2),
        ([], None, 0),
    ],
)
def test_only_main_and_master_deploy(refs: list[str], deployed: str | None, notices: int) -> None:
    decision = decide(tuple(RefUpdate(NONE, ONE, ref) for ref in refs))
    assert (decision.deployed.ref if decision.deployed else None) == deployed
    assert len(decision.notices) == notices


def test_two_deployable_refs_and_deletions_are_refused() -> None:
    with pytest.raises(Invalid, match="both `main` and `master`"):
        decide((RefUpdate(NONE, ONE, "refs/heads/main"), RefUpdate(NONE, ONE, "refs/heads/master")))
    with pytest.raises(Invalid, match="`feature` cannot be deleted"):
        decide((RefUpdate(ONE, NONE, "refs/heads/feature"),))


@pytest.mark.parametrize(
    ("old", "current", "fits"), [(NONE, None, True), (ONE, ONE, True), (ONE, TWO, False), (NONE, ONE, False), (ONE, None, False)]
)
def test_a_ref_another_push_moved_is_not_deployed(old: str, current: str | None, fits: bool) -> None:
    update = RefUpdate(old, "3" * 40, "refs/heads/main")
    if fits:
        assert check_tip(update, Tip(current, "commit", False)) == ()
    else:
        with pytest.raises(Conflict, match="push again"):
            check_tip(update, Tip(current, "commit", False))


@pytest.mark.parametrize("kind", ["blob", "tree", "tag", None])
def test_only_a_commit_is_deployed(kind: str | None) -> None:
    with pytest.raises(Invalid, match="can only be a commit"):
        check_tip(RefUpdate(NONE, ONE, "refs/heads/main"), Tip(None, kind, False))


def test_a_refusal_names_the_app_and_marks_each_line() -> None:
    assert refusal("shop", "One.\nTwo.").splitlines()[1:3] == [" !     One.", " !     Two."]
    assert "Push rejected to shop" in refusal("shop", "One.")


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_a_ref_list_up_to_the_bound_passes_however_it_is_cut(step: int) -> None:
    request = packet(b"x" * 40) + packet(b"y" * 40) + FLUSH + b"PACK" + b"z" * 500
    bound = RefListBound(88)
    for start in range(0, len(request), step):
        bound.see(request[start : start + step])


def test_a_ref_list_above_the_bound_is_stopped_before_it_is_read() -> None:
    with pytest.raises(Invalid, match="too many branches"):
        RefListBound(87).see(packet(b"x" * 40) + packet(b"y" * 40))
    with pytest.raises(Invalid, match="too many branches"):
        RefListBound(87).see(b"ffff")


@pytest.mark.parametrize("request_", [b"PACK", b"0001", b"0003", b"-001", b"\0\0\0\0"])
def test_what_is_no_packet_line_is_refused(request_: bytes) -> None:
    with pytest.raises(BadRequest):
        RefListBound(1000).see(request_)
