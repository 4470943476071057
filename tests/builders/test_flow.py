"""The classic buildpack contract, as a buildpack and a pusher see it."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from senryu.core.build import BuildFailed

from .conftest import Bench, tar, write_buildpack
from .web import serving

PROCFILE = {"Procfile": "web: ./run\nworker: ./work\n", "run": "#!/bin/sh\n"}


async def test_an_app_with_only_a_procfile_becomes_a_slug(bench: Bench) -> None:
    built = await bench.build(PROCFILE)
    assert built.process_types == {"web": "./run", "worker": "./work"}
    assert built.buildpacks == ("heroku/procfile",)
    assert built.description == "Procfile"
    slug = await bench.slug(built)
    assert set(slug) == {"Procfile", "run"}
    assert slug["run"].mode == 0o755
    assert (slug["run"].uid, slug["run"].gid) == (0, 0)
    assert built.size_bytes == await bench.blobs.size(f"slugs/{built.checksum}.tgz")


async def test_the_pusher_reads_herokus_lines_in_herokus_order(bench: Bench) -> None:
    bench.add_buildpack(
        "ruby", compile="echo '-----> Working'", release="printf 'default_process_types:\\n  web: other\\n  console: irb\\n'"
    )
    await bench.build(PROCFILE)
    lines = [line for line in bench.text.splitlines() if line]
    assert lines[:-1] == [
        "-----> Determining which buildpack to use for this app",
        "-----> Test app detected",
        "-----> Working",
        "-----> Discovering process types",
        "       Procfile declares types -> web, worker",
        "       Default types for Test -> console",
        "-----> Compressing...",
    ]
    assert lines[-1].startswith("       Done: ")


async def test_a_procfile_wins_over_default_process_types_and_config_vars_are_handed_on(bench: Bench) -> None:
    bench.add_buildpack(
        "go",
        release="printf 'addons:\\n- heroku-postgresql\\nconfig_vars:\\n  A: b\\n  N: 1\\n  T: true\\n  PORT: 1\\n"
        "default_process_types:\\n  web: d\\n  rake: r\\n'",
    )
    built = await bench.build(PROCFILE)
    assert built.process_types == {"web": "./run", "rake": "r", "worker": "./work"}
    assert built.config_vars == {"A": "b", "N": "1", "T": "true"}
    assert built.addons == ("heroku-postgresql",)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"Gemfile": "gem 'pg'\n"}, "Gemfile names pg"),
        ({"requirements.txt": "flask\npsycopg2-binary==2.9\n"}, "requirements.txt names psycopg2-binary"),
        ({"package.json": '{"dependencies": {"pg": "8"}}'}, "package.json names pg"),
        ({"sub/requirements.txt": "psycopg"}, None),
        ({}, None),
    ],
)
async def test_manifests_that_name_a_database_client_are_noticed(bench: Bench, files: dict[str, str], reason: str | None) -> None:
    bench.add_buildpack("go", compile='echo psycopg >"$1/requirements.txt"; echo "gem \'pg\'" >>"$1/Gemfile"')
    assert (await bench.build({**PROCFILE, **files})).database_wanted_by == reason


async def test_manifests_that_lead_elsewhere_are_not_followed(bench: Bench) -> None:
    links = "ln -sfn /etc/hostname /out/manifest.Gemfile; mkfifo /out/manifest.uv.lock; mkdir /out/manifest.package.json"
    bench.add_buildpack("go", compile=links.replace("/out", '"$SENRYU_OUT_DIR"'))
    assert (await bench.build({**PROCFILE, "Gemfile": "gem 'pg'"})).database_wanted_by is None


async def test_no_detectable_language_says_which_files_are_looked_for(bench: Bench) -> None:
    with pytest.raises(BuildFailed, match="No default language could be detected for this app"):
        await bench.build({"README": "x"})
    assert "requirements.txt" in bench.text
    assert "Gemfile" in bench.text


async def test_an_empty_source_says_so(bench: Bench) -> None:
    with pytest.raises(BuildFailed, match="no files to build"):
        await bench.build(tar({}))
    with pytest.raises(BuildFailed, match="no files to build"):
        await bench.build(tar({".git/config": "x"}))


async def test_compile_gets_its_three_directories_and_its_environment(bench: Bench) -> None:
    script = 'echo "$#"; cat "$3/SECRET"; ls "$3"; echo "$STACK $SOURCE_VERSION ${SECRET:-no} $DYNO"; touch "$1/made"'
    bench.add_buildpack("go", compile=script)
    built = await bench.build(PROCFILE, env={"SECRET": "s3cret\n", "PATH": "/evil", "../x": "y"})
    assert "3\ns3cret\n" in bench.text
    assert "PATH\nSECRET\n" in bench.text
    assert "host c0ffee no build." in bench.text
    assert "made" in await bench.slug(built)


async def test_a_failing_compile_fails_the_build_in_a_sentence(bench: Bench) -> None:
    bench.add_buildpack("go", compile="echo 'no such module'; exit 3")
    with pytest.raises(BuildFailed, match="Failed to compile the Test app"):
        await bench.build(PROCFILE)
    assert "no such module" in bench.text
    assert await bench.blobs.keys("slugs/") == []


async def test_the_cache_is_found_again_by_the_same_app_and_buildpack(bench: Bench) -> None:
    bench.add_buildpack("go", compile='cat "$2/kept" 2>/dev/null || echo "nothing kept"; echo kept-layer >"$2/kept"')
    await bench.build(PROCFILE)
    assert "nothing kept" in bench.text
    await bench.build(PROCFILE)
    assert "kept-layer" in bench.text
    await bench.builder.purge_cache(bench.engine.orders[0].app_id)
    await bench.build(PROCFILE)
    assert "nothing kept" in bench.text


async def test_several_buildpacks_run_in_order_and_see_what_earlier_ones_export(bench: Bench) -> None:
    bench.add_buildpack("nodejs", compile='echo "export TOOL=node-tool" >"${0%/*}/../export"', release="printf 'config_vars:\\n  N: n\\n'")
    bench.add_buildpack("ruby", compile='echo "got $TOOL"', release="printf 'default_process_types:\\n  web: ruby\\n'")
    built = await bench.build({"a": "1"}, "heroku/nodejs", "heroku/ruby")
    assert "1. heroku/nodejs\n       2. heroku/ruby\n" in bench.text
    assert "got node-tool" in bench.text
    assert built.process_types == {"web": "ruby"}
    assert built.config_vars == {"N": "n"}
    assert built.buildpacks == ("heroku/nodejs", "heroku/ruby")
    assert not (bench.buildpacks / "nodejs" / "export").exists()


async def test_a_set_buildpack_that_does_not_fit_fails_the_build(bench: Bench) -> None:
    bench.add_buildpack("ruby", detect="echo 'no Gemfile here'; exit 1")
    with pytest.raises(BuildFailed, match="not compatible with the buildpack heroku/ruby"):
        await bench.build(PROCFILE, "heroku/ruby")
    assert "no Gemfile here" in bench.text


async def test_slugignore_removes_files_before_compiling(bench: Bench) -> None:
    bench.add_buildpack("go", compile='ls -A "$1"')
    files = {
        **PROCFILE,
        ".slugignore": "*.psd\n/docs\n!keep.psd\n",
        "a.psd": "x",
        "keep.psd": "x",
        "docs/a": "x",
        "src/docs/b": "x",
        "src/c.psd": "x",
    }
    slug = await bench.slug(await bench.build(files))
    assert {"keep.psd", "src/docs/b", ".slugignore"} <= set(slug)
    assert not {"a.psd", "docs", "docs/a", "src/c.psd"} & set(slug)
    assert "a.psd" not in bench.text


async def test_profile_scripts_dotfiles_and_links_are_in_the_slug_and_git_is_not(bench: Bench) -> None:
    bench.add_buildpack(
        "go", compile='cd "$1"; ln -s run link; mkdir -p .profile.d lib/.git; echo x >.profile.d/a.sh; mkfifo fifo; chmod u+s run'
    )
    slug = await bench.slug(await bench.build({**PROCFILE, ".env.example": "A=1", ".gitignore": "x"}))
    assert {"link", ".profile.d/a.sh", ".env.example", ".gitignore", "lib"} <= set(slug)
    assert slug["link"].issym()
    assert not {"fifo", "lib/.git"} & set(slug)
    assert slug["run"].mode == 0o755


@pytest.mark.parametrize("folder", ["shop-c0ffee1234567", "shop-main", "shop-1.2.0"])
async def test_the_only_folder_of_a_code_hosts_archive_is_entered(bench: Bench, folder: str) -> None:
    built = await bench.build({f"{folder}/Procfile": "web: x\n", f"{folder}/.env": "x"})
    assert built.process_types == {"web": "x"}
    assert set(await bench.slug(built)) == {"Procfile", ".env"}


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
async def test_compressed_sources_are_unpacked(bench: Bench, mode: str) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("Procfile")
        member.size = 7
        archive.addfile(member, io.BytesIO(b"web: x\n"))
    assert (await bench.build(made.getvalue())).process_types == {"web": "x"}


@pytest.mark.parametrize("archive", [b"", b"not a tar", tar({"a": "x" * 5000})[:3000]])
async def test_what_is_no_archive_is_refused_in_a_sentence(bench: Bench, archive: bytes) -> None:
    with pytest.raises(BuildFailed, match=r"cannot be unpacked|no files to build"):
        await bench.build(archive)


async def test_a_bad_procfile_fails_the_build_and_names_the_line(bench: Bench) -> None:
    with pytest.raises(BuildFailed, match="Procfile line 2"):
        await bench.build({"Procfile": "web: x\nnonsense\n"})
    with pytest.raises(BuildFailed, match="Procfile is larger than 64 KB"):
        await bench.build({"Procfile": "web: " + "x" * 70_000})


async def test_a_buildpack_from_a_tarball_and_one_from_git_are_fetched(bench: Bench, tmp_path: Path) -> None:
    write_buildpack(tmp_path / "served" / "one-main", detect="echo One", compile='echo "compiled by one"')
    write_buildpack(tmp_path / "two", detect="echo Two", compile='echo "compiled by two $(cat "${0%/*}/../version")"')
    (tmp_path / "two" / "version").write_text("v1")
    subprocess.run(["tar", "czf", "one.tgz", "one-main"], cwd=tmp_path / "served", check=True)
    for command in (
        ["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "x"], ["checkout", "-qb", "new"],
        ["commit", "-q", "--allow-empty", "-m", "y"],
        ["update-server-info"],
    ):  # fmt: skip
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], cwd=tmp_path / "two", check=True)
    subprocess.run(["git", "clone", "-q", "--bare", tmp_path / "two", tmp_path / "served" / "two.git"], check=True)
    with serving(tmp_path / "served") as url:
        built = await bench.build(PROCFILE, f"{url}/one.tgz", f"{url}/two.git#new")
        assert "compiled by one" in bench.text
        assert "compiled by two v1" in bench.text
        assert built.description == "Two"
        await bench.build(PROCFILE, f"{url}/one.tgz", f"{url}/two.git#new")
        assert "compiled by one" in bench.text
        with pytest.raises(BuildFailed, match="could not be fetched"):
            await bench.build(PROCFILE, f"{url}/none.tgz")
        with pytest.raises(BuildFailed, match="could not be fetched"):
            await bench.build(PROCFILE, f"{url}/two.git#nowhere")
