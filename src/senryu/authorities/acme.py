"""An authority that speaks ACME, such as Let's Encrypt, through the library certbot is made of.

The library is synchronous: every call runs in a thread. It is imported at the first call, so that a platform that asks for no certificates
does not carry it. Source: RFC 8555.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from senryu.core import limits
from senryu.core.certificate_order import AccountUnknown, Authority, Authorization, PlacedOrder, Refused
from senryu.core.errors import PlatformError, Unavailable

if TYPE_CHECKING:
    import requests
    from acme.client import ClientV2
    from acme.messages import AuthorizationResource, ChallengeBody, Error, Order

P = ParamSpec("P")
T = TypeVar("T")

_REASON_MAX_CHARS = 400
_AGENT = "senryu"
_PASSING = ("badNonce", "serverInternal")
_GONE = (404, 410)
_NONCE_TRIES = 5


class AcmeAuthority(Authority):
    """The authority whose directory is at `directory_url`; `ca_file` (PEM) is trusted for it instead of the usual ones."""

    def __init__(self, directory_url: str, *, email: str = "", ca_file: str = "") -> None:
        self.directory_url = directory_url
        self._email = email
        self._ca_file = ca_file

    def new_key(self) -> str:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    async def register(self, account_key: str) -> str:
        return await self._call(self._register, account_key)

    async def place(self, account_key: str, account_url: str, hostname: str, key: str) -> PlacedOrder:
        return await self._call(self._place, account_key, account_url, hostname, key)

    async def advance(self, account_key: str, account_url: str, order_url: str, hostname: str, key: str) -> str | None:
        return await self._call(self._advance, account_key, account_url, order_url, hostname, key)

    async def _call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(self._guarded, partial(work, *args, **kwargs))

    def _guarded(self, work: Callable[[], T]) -> T:
        import requests
        from acme import errors, messages
        from josepy import errors as jose_errors

        try:
            return _with_fresh_nonces(work)
        except PlatformError:
            raise
        except messages.Error as error:
            raise _problem(error) from None
        except requests.exceptions.RequestException as error:
            reason = str(getattr(error, "reason", "") or error)
            raise Unavailable(f"The certificate authority does not answer: {_line(reason)}") from None
        except (errors.Error, jose_errors.Error, ValueError, KeyError, AttributeError) as error:
            raise Unavailable(f"The certificate authority's answer cannot be read: {_line(str(error) or type(error).__name__)}") from None

    def _client(self, account_key: str, account_url: str | None = None) -> ClientV2:
        from acme import client, messages
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from josepy import jwa, jwk

        key = serialization.load_pem_private_key(account_key.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        net = client.ClientNetwork(
            jwk.JWKEC(key=key), alg=jwa.ES256, user_agent=_AGENT, timeout=round(limits.AUTHORITY_TIMEOUT_S)
        )
        if self._ca_file:
            setattr(net, "verify_ssl", self._ca_file)  # noqa: B010 - requests takes a file where the library says bool
        directory = client.ClientV2.get_directory(self.directory_url, net)
        if account_url is not None:
            net.account = messages.RegistrationResource(uri=account_url, body=messages.Registration())
        return client.ClientV2(directory, net)

    def _register(self, account_key: str) -> str:
        from acme import errors, messages

        wanted = messages.NewRegistration.from_data(email=self._email or None, terms_of_service_agreed=True)
        try:
            made = self._client(account_key).new_account(wanted)
        except errors.ConflictError as known:
            return str(known.location)
        return str(made.uri)

    def _place(self, account_key: str, account_url: str, hostname: str, key: str) -> PlacedOrder:
        from acme import crypto_util

        client = self._client(account_key, account_url)
        order = client.new_order(crypto_util.make_csr(key.encode(), [hostname]))
        shown = [_shown(client, each) for each in order.authorizations]
        return PlacedOrder(str(order.uri), tuple(each for each in shown if each is not None))

    def _advance(self, account_key: str, account_url: str, order_url: str, hostname: str, key: str) -> str | None:
        from acme import crypto_util, messages

        client = self._client(account_key, account_url)
        order = messages.Order.from_json(_order(client, order_url).json())
        if order.status == messages.STATUS_VALID and order.certificate:
            return str(_read(client, order.certificate).text)
        if order.status == messages.STATUS_INVALID:
            raise Refused(_why(client, order))
        if order.status == messages.STATUS_PENDING:
            for url in order.authorizations:
                _answer(client, url)
        if order.status == messages.STATUS_READY:
            csr = crypto_util.make_csr(key.encode(), [hostname])
            client.begin_finalization(messages.OrderResource(body=order, uri=order_url, csr_pem=csr))
        return None


def _read(client: ClientV2, url: str) -> requests.Response:
    return client.net.post(url, None, new_nonce_url=client.directory.newNonce)


def _order(client: ClientV2, url: str) -> requests.Response:
    from acme import errors

    try:
        return _read(client, url)
    except errors.ClientError as error:
        if getattr(error.args[0] if error.args else None, "status_code", 0) in _GONE:
            raise Refused("The certificate authority does not know the order any more.") from None
        raise


def _authorization(client: ClientV2, url: str) -> AuthorizationResource:
    from acme import messages

    found, _ = client.poll(messages.AuthorizationResource(uri=url, body=messages.Authorization()))
    return found


def _http_challenge(authorization: AuthorizationResource) -> ChallengeBody:
    from acme import challenges

    for each in authorization.body.challenges:
        if isinstance(each.chall, challenges.HTTP01):
            return each
    raise Refused("The certificate authority does not accept a proof over HTTP for this domain.")


def _shown(client: ClientV2, authorization: AuthorizationResource) -> Authorization | None:
    """What is to be shown; None when the authority remembers an earlier proof."""
    from acme import messages

    if authorization.body.status == messages.STATUS_VALID:
        return None
    challenge = _http_challenge(authorization)
    _, answer = challenge.response_and_validation(client.net.key)
    return Authorization(challenge.chall.encode("token"), answer)


def _answer(client: ClientV2, url: str) -> None:
    """Tells the authority to look, once. Raises Refused when it looked and did not see it."""
    from acme import messages

    authorization = _authorization(client, url)
    if authorization.body.status == messages.STATUS_INVALID:
        raise Refused(_failure(authorization) or "The certificate authority could not see our answer at the domain.")
    if authorization.body.status != messages.STATUS_PENDING:
        return
    challenge = _http_challenge(authorization)
    if challenge.status == messages.STATUS_PENDING:
        response, _ = challenge.response_and_validation(client.net.key)
        client.answer_challenge(challenge, response)


def _why(client: ClientV2, order: Order) -> str:
    """The authority's reason for an order that is lost."""
    for url in order.authorizations:
        reason = _failure(_authorization(client, url))
        if reason:
            return reason
    detail = order.error.detail if order.error is not None else None
    return _line(str(detail or "The certificate authority gave the order up."))


def _failure(authorization: AuthorizationResource) -> str | None:
    for each in authorization.body.challenges:
        if each.error is not None:
            return _line(str(each.error.detail or each.error.typ))
    return None


def _with_fresh_nonces(work: Callable[[], T]) -> T:
    """The authority may find a nonce stale at any time, also that of the library's own second try (RFC 8555 section 6.5)."""
    from acme import messages

    for _ in range(_NONCE_TRIES - 1):
        try:
            return work()
        except messages.Error as error:
            if error.code != "badNonce":
                raise
    return work()


def _problem(error: Error) -> PlatformError:
    """The authority's own error in ours. One that passes is Unavailable."""
    text = _line(str(error.detail or error.title or error.typ))
    if error.code == "accountDoesNotExist":
        return AccountUnknown(f"The certificate authority does not know this platform: {text}")
    if error.code in _PASSING:
        return Unavailable(f"The certificate authority failed: {text}")
    return Refused(text)


def _line(text: str) -> str:
    """One line of a bounded length: it is shown in lists and logs."""
    return " ".join(text.split())[:_REASON_MAX_CHARS]


_: type[Authority] = AcmeAuthority
