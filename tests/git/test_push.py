"""What a developer sees of a push."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from senryu.core.errors import Conflict, Invalid
from senryu.git import PushTarget

from .conftest import Checkout, House, git

Output = Callable[[bytes], Awaitable[None]]


async def test_a_first_push_is_deployed_and_its_output_shown(house: House, checkout: Checkout) -> None:
    commit = await checkout.commit(Procfile="web: run\n")
    pushed = await checkout.git("push", "senryu", "main")
    assert pushed.status == 0, pushed.text
    assert "remote: -----> Building" in pushed.text
    assert house.commits == [commit]
    assert house.contents == [{"Procfile": b"web: run\n"}]
    assert (house.repository("shop") / "refs/heads/main").read_text().strip() == commit


async def test_a_second_push_is_deployed_too_and_the_same_again_is_not(house: House, checkout: Checkout) -> None:
    first = await checkout.commit(a="1")
    await checkout.git("push", "senryu", "main")
    second = await checkout.commit(a="2")
    assert (await checkout.git("push", "senryu", "main")).status == 0
    again = await checkout.git("push", "senryu", "main")
    assert "Everything up-to-date" in again.text
    assert house.commits == [first, second]


async def test_master_head_and_other_branches_named_main_are_deployed(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    for refspec in ("HEAD:master", "HEAD:main"):
        assert (await checkout.git("push", "senryu", refspec)).status == 0
    await checkout.git("checkout", "--quiet", "-b", "other")
    await checkout.commit(a="2")
    assert (await checkout.git("push", "senryu", "other:main")).status == 0
    assert len(house.commits) == 3


async def test_another_branch_is_kept_but_ignored_and_the_pusher_told_how_to_deploy_it(house: House, checkout: Checkout) -> None:
    commit = await checkout.commit(a="1")
    pushed = await checkout.git("push", "senryu", "HEAD:refs/heads/feature")
    assert pushed.status == 0
    assert "branch `feature`, which is kept but ignored" in pushed.text
    assert "git push senryu feature:main" in pushed.text
    assert house.commits == []
    assert (house.repository("shop") / "refs/heads/feature").read_text().strip() == commit


async def test_a_tag_is_kept_but_ignored(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    await checkout.git("tag", "v1")
    pushed = await checkout.git("push", "senryu", "v1")
    assert pushed.status == 0
    assert "tag `v1`, which is kept but ignored" in pushed.text
    assert house.commits == []


async def test_a_failing_deploy_rejects_the_push_and_leaves_the_branch_alone(house: House, checkout: Checkout) -> None:
    first = await checkout.commit(a="1")
    await checkout.git("push", "senryu", "main")

    async def fails(_: PushTarget, output: Output) -> None:
        await output(b"-----> Compiling\n")
        raise Invalid("The build failed: requirements.txt names no such package. Correct it and push again.")

    house.on_deploy = fails
    await checkout.commit(a="2")
    pushed = await checkout.git("push", "senryu", "main")
    assert pushed.status == 1
    assert "remote: -----> Compiling" in pushed.text
    assert "remote:  !     The build failed: requirements.txt names no such package." in pushed.text
    assert "Push rejected to shop" in pushed.text
    assert "[remote rejected] main -> main (pre-receive hook declined)" in pushed.text
    assert (house.repository("shop") / "refs/heads/main").read_text().strip() == first
    assert list(house.repository("shop").glob("objects/tmp_objdir*")) == []


async def test_an_unexpected_failure_rejects_the_push_without_showing_the_insides(house: House, checkout: Checkout) -> None:
    async def breaks(_: PushTarget, output: Output) -> None:
        raise RuntimeError("secret insides")

    house.on_deploy = breaks
    await checkout.commit(a="1")
    pushed = await checkout.git("push", "senryu", "main")
    assert pushed.status == 1
    assert "The platform failed in a way it did not expect" in pushed.text
    assert "secret insides" not in pushed.text


async def test_a_conflict_is_told_in_its_own_words(house: House, checkout: Checkout) -> None:
    async def busy(_: PushTarget, output: Output) -> None:
        raise Conflict("Another build of shop is running; wait for it to end.")

    house.on_deploy = busy
    await checkout.commit(a="1")
    assert "Another build of shop is running" in (await checkout.git("push", "senryu", "main")).text


async def test_history_that_went_another_way_needs_force_and_force_deploys_it(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    await checkout.git("push", "senryu", "main")
    await checkout.git("commit", "--amend", "--quiet", "--message", "other")
    refused = await checkout.git("push", "senryu", "main")
    assert refused.status == 1
    assert "rejected" in refused.text
    assert "non-fast-forward" in refused.text
    forced = await checkout.git("push", "--force", "senryu", "main")
    assert forced.status == 0, forced.text
    assert len(house.commits) == 2


async def test_main_and_master_in_one_push_are_refused(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    pushed = await checkout.git("push", "senryu", "main", "main:master")
    assert pushed.status == 1
    assert "The push moves both `main` and `master`" in pushed.text
    assert house.commits == []


async def test_main_with_other_refs_deploys_main_once(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    await checkout.git("tag", "v1")
    pushed = await checkout.git("push", "senryu", "main", "main:feature", "v1")
    assert pushed.status == 0
    assert "`feature`, which is kept" in pushed.text
    assert len(house.commits) == 1


async def test_deleting_main_is_refused(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    await checkout.git("push", "senryu", "main")
    pushed = await checkout.git("push", "senryu", ":main")
    assert pushed.status == 1
    assert "`main` cannot be deleted" in pushed.text
    assert (house.repository("shop") / "refs/heads/main").exists()


async def test_main_can_only_be_a_commit(house: House, checkout: Checkout) -> None:
    await checkout.commit(a="1")
    blob = (await checkout.git("rev-parse", "HEAD:a")).text.strip()
    pushed = await checkout.git("push", "senryu", f"{blob}:refs/heads/main")
    assert pushed.status == 1
    assert house.commits == []
    assert not (house.repository("shop") / "refs/heads/main").exists()


async def test_a_shallow_clone_can_be_pushed(house: House, checkout: Checkout) -> None:
    for number in range(3):
        await checkout.commit(a=str(number))
    shallow = checkout.path.parent / "shallow"
    await git("clone", "--quiet", "--depth=1", f"file://{checkout.path}", str(shallow), at=checkout.path.parent)
    pushed = await git("push", house.address("shop"), "main", at=shallow)
    assert pushed.status == 0, pushed.text
    assert house.contents[0]["a"] == b"2"
    await git("fetch", "--quiet", "--unshallow", at=shallow)
    assert (await Checkout(shallow).commit(a="3")) and (await git("push", house.address("shop"), "main", at=shallow)).status == 0


async def test_what_was_pushed_can_be_cloned_back(house: House, checkout: Checkout) -> None:
    for branch in ("master", "other"):
        await checkout.commit(a=branch)
        assert (await checkout.git("push", "senryu", f"HEAD:{branch}")).status == 0
    for version in ("0", "1", "2"):
        copy = checkout.path.parent / f"copy{version}"
        cloned = await git("-c", f"protocol.version={version}", "clone", house.address("shop"), str(copy), at=checkout.path.parent)
        assert cloned.status == 0, cloned.text
        assert (copy / "a").read_text() == "master"
    await checkout.commit(a="later")
    await checkout.git("push", "senryu", "HEAD:master")
    assert (await git("pull", "--quiet", at=copy)).status == 0
    assert (copy / "a").read_text() == "later"


async def test_an_app_nothing_was_pushed_to_can_be_cloned_empty(house: House, checkout: Checkout) -> None:
    cloned = await git("clone", house.address("blog"), "empty", at=checkout.path.parent)
    assert cloned.status == 0
    assert "empty repository" in cloned.text


async def test_submodules_are_said_to_be_left_out(house: House, checkout: Checkout) -> None:
    await checkout.commit(_dot_gitmodules='[submodule "lib"]\n\tpath = lib\n\turl = https://example.com/lib.git\n')
    pushed = await checkout.git("push", "senryu", "main")
    assert pushed.status == 0, pushed.text
    assert "has submodules (.gitmodules). They are not fetched" in pushed.text
