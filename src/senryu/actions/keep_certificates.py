"""The loop that fetches certificates, renews them, and makes what the router serves equal to what the database says.

Level-triggered, as supervise is: it remembers nothing that it could not ask again. Source: RFC 8555.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import structlog

from ..core import limits
from ..core.certificate_order import (
    CHALLENGE_PATH,
    AccountUnknown,
    Authority,
    CertificateOrder,
    Move,
    PlacedOrder,
    Refused,
    back_off,
    next_move,
    status_after,
)
from ..core.clock import Clock
from ..core.domain import Domain
from ..core.errors import Invalid, PlatformError, Unavailable
from ..core.log_line import LogWriter
from ..core.names import two_words
from ..core.route import Router
from ..core.sni_endpoint import SniEndpoint
from ..store.certificate_orders import acme_account, create_acme_account, list_orders, order_key, put_order, set_acme_account_url
from ..store.database import Database, Transaction
from ..store.domains import find_domain, list_acm_domains, update_domain
from ..store.sni_endpoints import (
    bundles,
    create_sni_endpoint,
    delete_lost_acm_endpoints,
    list_sni_endpoints,
    update_sni_endpoint,
    wanted_certificates,
)
from ..store.vault import Vault
from .read_certificate import ReadCertificate, read_certificate
from .tell import tell

_log = structlog.get_logger("certificates")


@dataclass(frozen=True, slots=True)
class _Case:
    """One domain with automatic certificates, as it stands."""

    domain: Domain
    order: CertificateOrder | None
    endpoint: SniEndpoint | None
    move: Move


class CertificateLoop:
    """Runs for all apps; implements core.certificate_order.Certifying. Without an authority it only serves what is stored."""

    def __init__(
        self, *, db: Database, vault: Vault, router: Router, authority: Authority | None, log_writer: LogWriter, clock: Clock
    ) -> None:
        self._db, self._vault, self._router, self._authority = db, vault, router, authority
        self._log_writer, self._clock = log_writer, clock
        self._bell = asyncio.Event()
        self._shown: frozenset[str] | None = None

    def wake(self) -> None:
        """See Certifying."""
        self._bell.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._bell.clear()
            try:
                wait_s = await self.look()
            except PlatformError as problem:
                _log.warning("certificates could not be looked after", reason=problem.message)
                wait_s = limits.CERTIFICATE_POLL_S
            except Exception:
                _log.exception("certificates could not be looked after")
                wait_s = limits.CERTIFICATE_CHECK_S
            await self._rest(wait_s)

    async def look(self) -> float:
        """Does what is due now; gives the seconds until the next look."""
        cases = await self._cases() if self._authority else []
        await self._show(cases)
        await self._serve()
        due = [case for case in cases if case.move is not Move.REST]
        one_of_few = asyncio.Semaphore(limits.CERTIFICATE_ORDERS_MAX)
        results = await asyncio.gather(*(self._within(one_of_few, case) for case in due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        if any(case.move is Move.PLACE for case in due):
            return 0.0
        return limits.CERTIFICATE_POLL_S if due else limits.CERTIFICATE_CHECK_S

    async def _rest(self, wait_s: float) -> None:
        """Until the time has come or somebody rings."""
        sleeping = asyncio.ensure_future(self._clock.sleep(wait_s))
        ringing = asyncio.ensure_future(self._bell.wait())
        try:
            await asyncio.wait({sleeping, ringing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, ringing):
                task.cancel()
            await asyncio.wait({sleeping, ringing})

    async def _cases(self) -> list[_Case]:
        async with self._db.reading() as tx:
            domains = await list_acm_domains(tx)
            orders = {order.domain_id: order for order in await list_orders(tx, vault=self._vault)}
            endpoints = {endpoint.id: endpoint for endpoint in await list_sni_endpoints(tx)} if domains else {}
        now, cases = self._clock.now(), []
        for domain in domains:
            endpoint = endpoints.get(domain.sni_endpoint_id) if domain.sni_endpoint_id else None
            if endpoint is not None and not endpoint.is_acm:
                continue  # its owner brought one
            order = orders.get(domain.id)
            cases.append(_Case(domain, order, endpoint, next_move(domain.hostname, order, endpoint.ssl_cert if endpoint else None, now)))
        return cases

    async def _show(self, cases: list[_Case]) -> None:
        """Has the router send us the challenges that are asked for. They are in the database before: a crash forgets none."""
        placed = [case.order.placed for case in cases if case.order and case.order.placed]
        shown = frozenset(CHALLENGE_PATH + one.token for order in placed for one in order.authorizations)
        if shown or shown != self._shown:  # again each time: a router that was killed has forgotten
            await self._router.set_challenges(shown)
            self._shown = shown

    async def _serve(self) -> None:
        """Gives the router what it has not, and takes away what nobody wants."""
        async with self._db.transaction() as tx:
            await delete_lost_acm_endpoints(tx)
        async with self._db.reading() as tx:
            wanted = await wanted_certificates(tx)
        served = await self._router.certificates()
        for host in served.keys() - wanted.keys():
            await self._router.remove_certificate(host)
        missing = {host: id for host, (id, fingerprint) in wanted.items() if served.get(host) != fingerprint}
        if not missing:
            return
        async with self._db.reading() as tx:
            opened = await bundles(tx, set(missing.values()), vault=self._vault)
        for host, id in missing.items():
            try:
                await self._router.put_certificate(host, opened[id])
            except Invalid as problem:
                _log.error("certificate refused", host=host, reason=problem.message)
            except KeyError:
                continue  # removed meanwhile

    async def _within(self, one_of_few: asyncio.Semaphore, case: _Case) -> None:
        async with one_of_few:
            assert self._authority is not None
            try:
                if case.move is Move.PLACE:
                    await self._place(case, self._authority)
                elif case.move is Move.ABANDON:
                    raise Refused("The certificate authority did not sign within an hour.")
                else:
                    await self._advance(case, self._authority)
            except AccountUnknown as problem:
                async with self._db.transaction() as tx:
                    await set_acme_account_url(tx, self._authority.directory_url, None)
                await self._failed(case, problem.message)
            except Refused as problem:
                await self._failed(case, problem.message)
            except Unavailable as problem:
                if case.move is Move.PLACE:
                    await self._failed(case, problem.message)

    async def _account(self, authority: Authority) -> tuple[str, str]:
        """Key and address of our account; the key is stored before the authority sees it."""
        async with self._db.reading() as tx:
            known = await acme_account(tx, authority.directory_url, vault=self._vault)
        if known is None:
            key = authority.new_key()
            async with self._db.transaction() as tx:
                known = await acme_account(tx, authority.directory_url, vault=self._vault)
                if known is None:
                    await create_acme_account(tx, authority.directory_url, key, vault=self._vault)
                    known = key, None
        key, url = known
        if url is None:
            url = await authority.register(key)
            async with self._db.transaction() as tx:
                await set_acme_account_url(tx, authority.directory_url, url)
        return key, url

    async def _place(self, case: _Case, authority: Authority) -> None:
        account_key, account_url = await self._account(authority)
        key = authority.new_key()
        placed = await authority.place(account_key, account_url, case.domain.hostname, key)
        failures = case.order.failures if case.order else 0
        await self._settle(case, placed, key, failures, "in-progress" if case.endpoint is None else None)

    async def _advance(self, case: _Case, authority: Authority) -> None:
        assert case.order is not None and case.order.placed is not None
        account_key, account_url = await self._account(authority)
        async with self._db.reading() as tx:
            key = await order_key(tx, case.domain.id, vault=self._vault)
        if key is None:
            return
        chain = await authority.advance(account_key, account_url, case.order.placed.url, case.domain.hostname, key)
        if chain is not None:
            try:
                read = await asyncio.to_thread(read_certificate, chain, key, self._clock.now())
            except Invalid as problem:
                raise Refused(f"The certificate authority sent a certificate that cannot be used: {problem.message}") from None
            await self._issued(case, read)

    async def _failed(self, case: _Case, reason: str) -> None:
        failures = (case.order.failures if case.order else 0) + 1
        _log.warning("certificate not fetched", domain=case.domain.hostname, failures=failures, reason=reason)
        is_settled = await self._settle(case, None, None, failures, status_after(failures), reason)
        if is_settled:
            told = f"Certificate for {case.domain.hostname} could not be fetched: {reason}"
            await tell(case.domain.app_id, "api", told, log_writer=self._log_writer, clock=self._clock, source="app")

    async def _settle(
        self, case: _Case, placed: PlacedOrder | None, key: str | None, failures: int, status: str | None, reason: str | None = None
    ) -> bool:
        """Stores where an order stands now, unless it was changed meanwhile; whether it was stored. Status None: as it is."""
        now = self._clock.now()
        next_try_at = now + back_off(failures, random.random()) if failures else now
        order = CertificateOrder(case.domain.id, placed, failures, next_try_at, now, now)
        async with self._db.transaction() as tx:
            domain = await self._same(tx, case)
            if domain is None:
                return False
            await put_order(tx, order, key, vault=self._vault)
            if status is not None:
                await update_domain(tx, replace(domain, acm_status=status, acm_status_reason=reason, updated_at=now))
        return True

    async def _same(self, tx: Transaction, case: _Case) -> Domain | None:
        """The domain, when nobody changed it or its order since we looked."""
        orders = {order.domain_id: order for order in await list_orders(tx, vault=self._vault)}
        domain = await find_domain(tx, case.domain.hostname)
        is_same = orders.get(case.domain.id) == case.order and domain is not None and domain.id == case.domain.id
        is_wanted = domain is not None and domain.sni_endpoint_id == case.domain.sni_endpoint_id and await _is_automatic(tx, domain.app_id)
        return domain if is_same and is_wanted else None

    async def _issued(self, case: _Case, read: ReadCertificate) -> None:
        now = self._clock.now()
        async with self._db.transaction() as tx:
            domain = await self._same(tx, case)
            if domain is None:
                return
            endpoint_id = await self._stored(tx, case.endpoint, domain, read)
            await put_order(tx, CertificateOrder(domain.id, None, 0, now, now, now), None, vault=self._vault)
            issued = replace(domain, sni_endpoint_id=endpoint_id, acm_status="cert issued", acm_status_reason=None, updated_at=now)
            await update_domain(tx, issued)
        told = f"Certificate for {domain.hostname} issued, valid until {read.ssl_cert.expires_at:%Y-%m-%d}"
        await tell(domain.app_id, "api", told, log_writer=self._log_writer, clock=self._clock, source="app")
        self.wake()

    async def _stored(self, tx: Transaction, before: SniEndpoint | None, domain: Domain, read: ReadCertificate) -> UUID:
        now = self._clock.now()
        if before is not None:
            renewed = replace(before, certificate_chain=read.chain, ssl_cert=read.ssl_cert, updated_at=now)
            await update_sni_endpoint(tx, renewed, read.key, vault=self._vault)
            return before.id
        name = two_words(secrets.randbits(64))
        made = SniEndpoint(uuid4(), domain.app_id, name, None, read.chain, read.ssl_cert, True, now, now)
        await create_sni_endpoint(tx, made, read.key, vault=self._vault)
        return made.id


async def _is_automatic(tx: Transaction, app_id: UUID) -> bool:
    return any(domain.app_id == app_id for domain in await list_acm_domains(tx))

