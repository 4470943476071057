"""What goes into the store comes out of it the same, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from uuid import uuid4

import pytest

from senryu.core.account import Authorization
from senryu.core.build import Build, BuildStatus
from senryu.core.buildpack import Buildpack
from senryu.core.collaborator import Collaborator
from senryu.core.domain import Domain
from senryu.core.dyno import Dyno, DynoKind, DynoState
from senryu.core.errors import Conflict
from senryu.core.formation import ProcessType
from senryu.core.release import ReleaseStatus
from senryu.core.source import Source
from senryu.core.stack import Stack
from senryu.store import accounts, apps, authorizations, builds, domains, dynos, formation, releases, sources, stacks
from senryu.store.database import Database
from senryu.store.vault import Vault

from .conftest import NOW, Rows, account, app


async def test_accounts(db: Database, rows: Rows) -> None:
    async with db.transaction() as tx:
        assert await accounts.find_account(tx, rows.account.id) == rows.account
        assert await accounts.find_account(tx, "A@Example.com") == rows.account
        assert await accounts.find_account(tx, "nul\0@example.com") is None
        assert await accounts.count_accounts(tx) == 1
        changed = replace(rows.account, name=None, password_hash="other", last_login=None)
        await accounts.update_account(tx, changed)
        assert await accounts.find_accounts(tx, {rows.account.id, uuid4()}) == {rows.account.id: changed}
        await accounts.lock_accounts(tx)
    with pytest.raises(Conflict):
        async with db.transaction() as tx:
            await accounts.create_account(tx, account())


async def test_invitations_and_open_registration(db: Database) -> None:
    async with db.transaction() as tx:
        assert not await accounts.is_registration_open(tx)
        for is_open in (True, False, True):
            await accounts.set_registration_open(tx, is_open)
            assert await accounts.is_registration_open(tx) is is_open
        await accounts.invite(tx, "g@example.com", "1" * 64, NOW)
        await accounts.invite(tx, "g@example.com", "2" * 64, NOW)
        assert not await accounts.take_invitation(tx, "g@example.com", "1" * 64)
        assert await accounts.take_invitation(tx, "g@example.com", "2" * 64)
        assert not await accounts.take_invitation(tx, "g@example.com", "2" * 64)


async def test_authorizations(db: Database, rows: Rows) -> None:
    token = Authorization(uuid4(), rows.account.id, "laptop", ("read", "write"), "f" * 64, "HRKU-x*", NOW, NOW, NOW + timedelta(days=1))
    async with db.transaction() as tx:
        await authorizations.create_authorization(tx, token)
        assert await authorizations.find_by_token(tx, "f" * 64) == (token, rows.account)
        assert await authorizations.find_by_token(tx, "0" * 64) is None
        changed = replace(token, token_hash="e" * 64, expires_at=None)
        await authorizations.update_authorization(tx, changed)
        assert await authorizations.list_authorizations(tx, rows.account.id) == [changed]
        await authorizations.delete_authorization(tx, token.id)
        assert await authorizations.find_by_token(tx, "e" * 64) is None


async def test_apps_collaborators_and_buildpacks(db: Database, rows: Rows) -> None:
    other = account("b@example.com")
    async with db.transaction() as tx:
        await accounts.create_account(tx, other)
        for name in (rows.app.name, rows.app.id, str(rows.app.id)):
            assert await apps.find_app(tx, name) == rows.app
        assert await apps.find_app(tx, "an-app\0") is None
        assert await apps.lock_app(tx, rows.app.id) == rows.app
        assert await apps.lock_app(tx, uuid4()) is None
        assert await apps.list_apps(tx, other.id) == []
        place = Collaborator(uuid4(), rows.app.id, other.id, NOW, NOW)
        await apps.add_collaborator(tx, place)
        assert await apps.list_apps(tx, other.id) == await apps.list_apps(tx) == [rows.app]
        assert await apps.find_collaborator(tx, rows.app.id, other.id) == place
        assert await apps.list_collaborators(tx, rows.app.id) == [place]
        await apps.remove_collaborator(tx, place.id)
        assert await apps.find_collaborator(tx, rows.app.id, other.id) is None
        assert await apps.count_apps(tx, rows.account.id) == 1
        packs = [Buildpack("heroku/nodejs"), Buildpack("https://example.com/x.git#main")]
        for wanted in (packs, packs[::-1], []):
            await apps.set_buildpacks(tx, rows.app.id, wanted)
            assert await apps.list_buildpacks(tx, rows.app.id) == wanted
        changed = replace(rows.app, name="renamed", is_maintenance=True, slug_size_bytes=None)
        await apps.update_app(tx, changed)
        assert await apps.find_app(tx, "renamed") == changed
    with pytest.raises(Conflict):
        async with db.transaction() as tx:
            await apps.create_app(tx, app(other, "renamed"))


async def test_builds_and_slugs(db: Database, rows: Rows) -> None:
    source = Source("sources/x.tgz", "cafe", "words")
    build = Build(uuid4(), rows.app.id, rows.account.id, BuildStatus.PENDING, source, "host", ("heroku/python",), NOW, NOW)
    async with db.transaction() as tx:
        await builds.create_build(tx, build)
        assert await builds.list_pending_builds(tx) == [build]
        done = replace(build, status=BuildStatus.FAILED, failure="words", slug_id=rows.slug.id, source=replace(source, version=None))
        await builds.update_build(tx, done)
        assert await builds.find_build(tx, rows.app.id, build.id) == done
        assert await builds.find_build(tx, uuid4(), build.id) is None
        assert await builds.list_builds(tx, rows.app.id) == [done]
        assert await builds.list_pending_builds(tx) == []
        assert await builds.find_slug(tx, rows.app.id, rows.slug.id) == rows.slug
        assert await builds.find_slug(tx, uuid4(), rows.slug.id) is None
        assert await builds.kept_checksums(tx) == {"a" * 64}
        await builds.expire_slug(tx, rows.slug.id)
        assert await builds.kept_checksums(tx) == set()
        assert await builds.find_slug(tx, rows.app.id, rows.slug.id) == replace(rows.slug, checksum="")
        await builds.update_slug(tx, rows.slug)
        assert await builds.find_slug(tx, rows.app.id, rows.slug.id) == rows.slug


async def test_releases(db: Database, rows: Rows, vault: Vault) -> None:
    config = {"KEY": "välue\n", "EMPTY": ""}
    async with db.transaction() as tx:
        first = await releases.append_release(tx, rows.release(config), vault=vault)
        second = await releases.append_release(tx, rows.release(status=ReleaseStatus.PENDING), vault=vault)
        third = await releases.append_release(tx, rows.release(status=ReleaseStatus.FAILED), vault=vault)
        assert [first.version, second.version, third.version] == [1, 2, 3]
        assert await releases.list_releases(tx, rows.app.id, vault=vault) == [first, second, third]
        newest = await releases.list_releases(tx, rows.app.id, vault=vault, newest_first=True, most=1, before=3)
        assert newest == [second]
        assert await releases.find_release(tx, rows.app.id, 1, vault=vault) == first
        assert await releases.find_release(tx, rows.app.id, first.id, vault=vault) == first
        assert await releases.find_release(tx, uuid4(), first.id, vault=vault) is None
        assert await releases.current_release(tx, rows.app.id, vault=vault) == first
        assert await releases.latest_release(tx, rows.app.id, vault=vault) == second
        assert await releases.list_pending_releases(tx, rows.app.id, vault=vault) == [second]
        later = NOW + timedelta(seconds=5)
        await releases.update_status(tx, second.id, ReleaseStatus.FAILED, later, failure="words")
        await releases.note_timing(tx, second.id, {"build_s": 1.5})
        assert await releases.find_release(tx, rows.app.id, 2, vault=vault) == replace(
            second, status=ReleaseStatus.FAILED, updated_at=later, failure="words", timing={"build_s": 1.5}
        )
        assert await releases.latest_release(tx, rows.app.id, vault=vault) == first


async def test_formations(db: Database, rows: Rows) -> None:
    web = ProcessType(uuid4(), rows.app.id, "web", 1, "Basic", NOW, NOW)
    worker = ProcessType(uuid4(), rows.app.id, "worker", 0, "Eco", NOW, NOW)
    async with db.transaction() as tx:
        for entry in (worker, web, replace(web, quantity=3)):
            await formation.set_process_type(tx, entry)
        assert await formation.list_formation(tx, rows.app.id) == [replace(web, quantity=3), worker]


async def test_dynos(db: Database, rows: Rows, vault: Vault) -> None:
    async with db.transaction() as tx:
        release = await releases.append_release(tx, rows.release(), vault=vault)
        dyno = Dyno(
            uuid4(), rows.app.id, DynoKind.ONE_OFF, "run", 4821, release.id, 1, "bash", "Eco", DynoState.STARTING, 5000, NOW, NOW
        )
        wish = dynos.TerminalWish(True, True, 120, 40)
        await dynos.create_dyno(tx, dyno, env={"TERM": "xterm"}, terminal=wish, vault=vault)
        assert await dynos.find_dyno(tx, dyno.id) == dyno
        assert await dynos.start_wish(tx, dyno.id, vault=vault) == ({"TERM": "xterm"}, wish)
        assert await dynos.start_wish(tx, uuid4(), vault=vault) == ({}, dynos.TerminalWish())
        await dynos.set_dyno(tx, dyno.id, state=DynoState.COMPLETE, ended_at=NOW, exit_code=7)
        changed = replace(dyno, state=DynoState.COMPLETE, ended_at=NOW, exit_code=7)
        assert await dynos.list_dynos(tx, rows.app.id) == [changed]
        assert await dynos.all_dyno_ids(tx) == {dyno.id: rows.app.id}
        await dynos.delete_dyno(tx, dyno.id)
        assert await dynos.find_dyno(tx, dyno.id) is None


async def test_domains(db: Database, rows: Rows) -> None:
    domain = Domain(uuid4(), rows.app.id, "*.example.com", NOW, NOW)
    async with db.transaction() as tx:
        await domains.create_domain(tx, domain)
        assert await domains.find_domain(tx, "*.example.com") == domain
        assert await domains.list_domains(tx, rows.app.id) == [domain]
    with pytest.raises(Conflict):
        async with db.transaction() as tx:
            await domains.create_domain(tx, replace(domain, id=uuid4()))
    async with db.transaction() as tx:
        await domains.delete_domain(tx, domain.id)
        assert await domains.list_domains(tx, rows.app.id) == []


async def test_stacks_and_sources(db: Database, rows: Rows) -> None:
    stack = Stack(uuid4(), "bookworm", "public", False, "/srv", NOW, NOW)
    async with db.transaction() as tx:
        await stacks.set_stack(tx, stack)
        await stacks.set_stack(tx, replace(stack, source="/other"))
        assert await stacks.list_stacks(tx) == [replace(stack, source="/other")]
        source = uuid4()
        await sources.create_source(tx, source, rows.account.id, NOW)
        assert await sources.old_sources(tx, NOW - timedelta(seconds=1)) == []
        assert await sources.old_sources(tx, NOW + timedelta(seconds=1)) == [source]
        await sources.delete_source(tx, source)
        assert await sources.old_sources(tx, NOW + timedelta(seconds=1)) == []


async def test_an_app_goes_with_everything_that_belongs_to_it(db: Database, rows: Rows, vault: Vault) -> None:
    async with db.transaction() as tx:
        release = await releases.append_release(tx, rows.release(), vault=vault)
        dyno = Dyno(uuid4(), rows.app.id, DynoKind.FORMATION, "web", 1, release.id, 1, "x", "Eco", DynoState.UP, 5000, NOW, NOW)
        await dynos.create_dyno(tx, dyno)
        await domains.create_domain(tx, Domain(uuid4(), rows.app.id, "x.example.com", NOW, NOW))
        await apps.delete_app(tx, rows.app.id)
    async with db.reading() as tx:
        assert await apps.list_apps(tx) == []
        assert await dynos.all_dyno_ids(tx) == {}
        assert await builds.kept_checksums(tx) == set()
        assert await domains.find_domain(tx, "x.example.com") is None


async def test_times_come_back_as_utc_whatever_zone_they_had(db: Database, rows: Rows) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    async with db.transaction() as tx:
        await accounts.update_account(tx, replace(rows.account, last_login=there))
        found = await accounts.find_account(tx, rows.account.id)
    assert found is not None and found.last_login is not None
    assert found.last_login == NOW
    assert found.last_login.utcoffset() == timedelta(0)
