"""git push: what the pusher sees, and what becomes of the app. Source: Dev Center, git, slug-compiler."""

from __future__ import annotations

from .conftest import NewApp
from .person import App, texts_in_order
from .rig import eventually

CRASHING = {"app.py": "raise SystemExit(3)\n"}
FAILING = {"bin/post_compile": "#!/bin/sh\necho this build fails on purpose\nexit 1\n"}
MENDED = {"bin/post_compile": "#!/bin/sh\nexit 0\n"}
# A build that waits until its source says otherwise cannot be told to go on: it takes this long.
SLOW = {"bin/post_compile": "#!/bin/sh\necho waiting\nsleep 6\n"}


def greeting(version: int) -> str:
    """What examples/python-web answers."""
    return f"Hello from Senryu, release v{version}\n"


def test_a_push_streams_the_build_and_ends_with_the_release_and_the_url(make_app: NewApp) -> None:
    made = make_app()
    said = made.push().stderr
    url = f"http://{made.name}.localhost:{made.copy.port}/"
    assert "remote: -----> Python app detected" in said
    assert texts_in_order(said, ["-----> Compressing", "Done:", "-----> Launching", "Released v2", f"{url} deployed to Senryu"]), said
    assert made.visit().text == greeting(2)


def test_main_master_head_and_another_branch_named_main_are_deployed(make_app: NewApp) -> None:
    app = make_app()
    for number, refs in enumerate(("main:master", "HEAD:main", "other:main"), start=2):
        if refs.startswith("other"):
            app.git("checkout", "-q", "-b", "other")
        app.commit()
        assert f"Released v{number}" in app.push(refs).stderr
        assert app.visit().text == greeting(number)


def test_any_other_branch_is_ignored_and_the_pusher_told_so(app: App) -> None:
    app.git("checkout", "-q", "-b", "feature")
    app.commit()
    said = app.push("feature").stderr
    assert "branch `feature`, which is kept but ignored" in said
    assert "git push senryu feature:main" in said
    assert "Released" not in said
    assert app.visit().text == greeting(2)


def test_a_failing_build_rejects_the_push_and_the_next_one_may_follow(app: App) -> None:
    app.commit(FAILING)
    refused = app.push(check=False)
    assert refused.returncode != 0
    assert texts_in_order(refused.stderr, ["this build fails on purpose", " !     Failed to compile the Python app", "Push rejected"])
    assert app.visit().text == greeting(2)
    assert [release["version"] for release in app.releases()] == [2, 1]
    assert "Build failed" in app.log("-s", "app")
    assert "Released v3" in app.deploy(MENDED)
    assert app.visit().text == greeting(3)


def test_a_repository_without_a_language_is_refused_with_what_is_looked_for(make_app: NewApp) -> None:
    app = make_app({"notes.md": "Nothing to run.\n"})
    refused = app.push(check=False)
    assert refused.returncode != 0
    assert "No default language could be detected" in refused.stderr
    assert "requirements.txt" in refused.stderr
    assert app.visit().status == 503


def test_a_push_while_another_builds_is_refused_and_the_first_goes_on(make_app: NewApp) -> None:
    app = make_app()
    app.commit(SLOW)
    first = app.pushing()
    app.logged("Build started")
    app.commit()
    second = app.push(check=False)
    said, _ = first.communicate(timeout=120)
    assert second.returncode != 0
    assert "Another push to" in second.stderr or "Another build of" in second.stderr
    assert first.returncode == 0, said
    assert "Released v2" in said
    assert app.visit().text == greeting(2)


def test_a_push_whose_build_is_cancelled_says_so_and_moves_nothing(make_app: NewApp) -> None:
    app = make_app()
    app.push()
    before = app.git("ls-remote", "senryu", "main").stdout
    app.commit({"bin/post_compile": "#!/bin/sh\necho the long wait begins\nsleep 600\n"})
    push = app.pushing()
    assert push.stdout is not None
    assert any("the long wait begins" in line for line in push.stdout)
    app.senryu("builds:cancel")
    said, _ = push.communicate(timeout=60)
    assert push.returncode != 0
    assert f"The build of {app.name} was cancelled" in said
    assert "[remote rejected] main -> main" in said
    assert app.git("ls-remote", "senryu", "main").stdout == before
    eventually(lambda: app.builds()[0]["status"] == "failed", "the record of it")
    assert app.visit().text == greeting(2)
    app.git("rm", "-q", "bin/post_compile")
    assert "Released v3" in app.deploy()


def test_pushing_nothing_new_changes_nothing_and_pushing_no_files_is_refused(app: App) -> None:
    again = app.push()
    assert "Everything up-to-date" in again.stderr
    assert app.releases()[0]["version"] == 2
    app.git("rm", "-rq", ".")
    app.git("commit", "-q", "-m", "Nothing is left")
    refused = app.push(check=False)
    assert refused.returncode != 0
    assert "There are no files to build" in refused.stderr
    assert app.visit().text == greeting(2)


def test_a_rewritten_history_needs_force_and_is_deployed_with_it(app: App) -> None:
    app.git("commit", "-q", "--amend", "-m", "Another history")
    refused = app.push(check=False)
    assert refused.returncode != 0
    assert "[rejected]" in refused.stderr
    assert "behind" in refused.stderr or "fetch first" in refused.stderr
    assert "Released v3" in app.push("--force", "main").stderr
    assert app.visit().text == greeting(3)


def test_a_release_that_crashes_while_booting_is_rejected_and_the_one_before_it_serves_on(app: App) -> None:
    app.commit(CRASHING)
    refused = app.push(check=False)
    assert refused.returncode != 0
    assert "Release v3 did not start" in refused.stderr
    assert "exited with status 3" in refused.stderr
    assert app.visit().text == greeting(2)
    assert app.states() == {"web.1": "up"}
    assert app.releases()[0]["status"] == "failed"
    app.git("checkout", "-q", "HEAD~1", "--", "app.py")
    assert "Released v4" in app.deploy()
    eventually(lambda: app.visit().text == greeting(4), "the mended release")


def test_a_first_release_that_crashes_stands_and_says_so(make_app: NewApp) -> None:
    app = make_app({**CRASHING, "requirements.txt": "", "Procfile": "web: python app.py\n"})
    said = app.push().stderr
    assert "v2 is released, but web.1 crashed during boot" in said
    answer = app.visit()
    assert answer.status == 503
    assert "Application error" in answer.text
    app.logged('code=H10 desc="App crashed"')
    assert app.states() == {"web.1": "crashed"}
