"""Makes, changes and takes away add-ons by asking the partner who has them.

What a partner answers: 2xx it is done (202 to a provision: it will say so later), 422 no, and why, 410 it is gone; all else, and no
answer, is a failure of the moment.

Source: https://devcenter.heroku.com/articles/add-on-partner-api-reference
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote
from uuid import UUID

from ...core.add_on import AddOnService, Given, Plan, Supplier
from ...core.errors import Invalid, NotFound, PlatformError, Unavailable
from ...core.partner import Caller, Manifest, Records, answer_in, config_in, headers, message_in, provision_body

_ACCEPTED, _NO_SUCH, _GONE, _REFUSED = 202, 404, 410, 422


class PartnerSupplier:
    """See Supplier. `client_id` is the partner's OAuth client."""

    def __init__(self, manifest: Manifest, client_id: UUID, *, calling: Caller, records: Records) -> None:
        self.manifest, self.client_id, self._calling, self._records = manifest, client_id, calling, records

    @property
    def service(self) -> AddOnService:
        """See Supplier."""
        return self.manifest.service

    async def provision(self, id: UUID, plan: Plan, options: Mapping[str, str]) -> Given:
        """See Supplier. `config` is None when the partner says that it takes longer."""
        resource = await self._records.resource(id, self.client_id)
        status, body = await self._called("POST", "", provision_body(resource, plan, options))
        self._check(status, body, "make")
        answer = answer_in(body)
        provider_id = answer.get("id")
        if not isinstance(provider_id, (str, int)) or not 0 < len(str(provider_id)) <= 255:
            raise Unavailable(f"{self._name} made the add-on but gave it no `id`; ask them.")
        config = None if status == _ACCEPTED else config_in(answer.get("config"), self.manifest)
        return Given(config, str(provider_id), message_in(body) or None)

    async def change_plan(self, id: UUID, plan: Plan) -> Given:
        """See Supplier."""
        body = json.dumps({"plan": plan.slug}).encode()
        status, body = await self._called("PUT", await self._path(id), body)
        if status == _GONE:
            raise Invalid(f"{self._name} says that this add-on is gone; destroy it.")
        self._check(status, body, "change")
        config = answer_in(body).get("config")
        return Given(config_in(config, self.manifest) if config else None, None, message_in(body) or None)

    async def deprovision(self, id: UUID) -> None:
        """See Supplier. One whose making nobody answered is asked for by our id; then made again, to learn what the partner calls it."""
        known = await self._records.provider_id(id)
        status, body = await self._called("DELETE", await self._path(id), b"")
        if known is None and status == _NO_SUCH:
            try:
                made = await self.provision(id, self.service.plan(""), {})
            except (Invalid, NotFound):
                return  # it refuses: there is none; or the app is gone, too
            status, body = await self._called("DELETE", _below(made.provider_id or str(id)), b"")
        if status not in (_GONE, _NO_SUCH):
            self._check(status, body, "take away", is_final=False)

    @property
    def _name(self) -> str:
        return self.service.human_name

    async def _path(self, id: UUID) -> str:
        return _below(await self._records.provider_id(id) or str(id))

    async def _called(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            return await self._calling.call(method, self.manifest.base_url + path, headers(self.manifest), body)
        except PlatformError as problem:
            raise Unavailable(f"{self._name} cannot be reached ({problem.message.rstrip('.')}); try again later.") from problem

    def _check(self, status: int, body: bytes, doing: str, *, is_final: bool = True) -> None:
        if 200 <= status < 300:
            return
        said = message_in(body)
        if status == _REFUSED and is_final:
            raise Invalid(f"{self._name} will not {doing} the add-on: {said or 'it gave no reason'}")
        raise Unavailable(f"{self._name} could not {doing} the add-on (status {status}{': ' + said if said else ''}); try again later.")


def _below(provider_id: str) -> str:
    return f"/{quote(provider_id, safe='')}"


_: type[Supplier] = PartnerSupplier
