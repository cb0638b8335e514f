"""`/api/users/v2/me/webauthn`: a person's own passkeys and security keys, as WSO2's account application calls it.

The relying party is this server: only pages of its own origin can answer what `start-registration` asks.
"""

import json
from typing import Any

import msgspec

from identity.account.account_access import AccountAccess, GrantVisit, read_nothing
from identity.account.own_factors import OwnFactors
from identity.account.own_totp_endpoint import nothing_pending
from identity.account.pending_enrolments import Pending, PendingEnrolments
from identity.authn.authenticators import PASSKEY, Verified
from identity.clock import as_datetime
from identity.domain.enrolled_factors import EnrolledFactor
from identity.errors import IdentityError
from identity.storage.write_batch import WriteBatch
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response

_APP_ID = {"appId": ""}
"""WSO2's application sends its origin. Ours is known, so it is not read."""


class Answer(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """`credential`: the browser's, as JSON (WebAuthn Level 3 §5.1, `toJSON`); `rawId` may be missing."""

    request_id: str
    credential: dict[str, Any]


class Change(msgspec.Struct, forbid_unknown_fields=True):
    operation: str
    path: str
    value: str


class OwnPasskeysEndpoint:
    def __init__(self, access: AccountAccess, own: OwnFactors, pending: PendingEnrolments) -> None:
        self._access = access
        self._own = own
        self._pending = pending

    async def list_all(self, request: Request) -> Response:
        visit = await self._access.reading(request)
        return json_response(200, [_shown(factor) for factor in visit.of_kind(PASSKEY)])

    async def start(self, request: Request) -> Response:
        """POST: what the browser is asked."""
        return await self._start(request)

    async def start_usernameless(self, request: Request) -> Response:
        """The same for a passkey that has to know whose it is (WebAuthn Level 3 §5.4.6), so that no name is typed."""
        return await self._start(request, residentKey="required", requireResidentKey=True)

    async def _start(self, request: Request, **wanted: Any) -> Response:
        visit = await self._access.changing(request)
        read_nothing(request, _APP_ID)
        begun = await self._own.named(PASSKEY).begin_enrolment(visit.attempt())
        page = await self._own.named(PASSKEY).enrolment_page(visit.attempt(begun.state))
        if page["full"]:
            raise IdentityError("too_many", "There are as many passkeys as one person may have.", status=409)
        id = await self._pending.begin(visit, PASSKEY, begun.state)
        options = dict(page["passkey"]["options"])
        options["authenticatorSelection"] = options["authenticatorSelection"] | wanted
        return json_response(200, {"requestId": id, "publicKeyCredentialCreationOptions": options})

    async def finish(self, request: Request) -> Response:
        """POST: what the browser answered. A request is good for one answer, right or wrong."""
        visit = await self._access.changing(request)
        answer = read_body(request, Answer)
        pending = await self._pending.find(visit, PASSKEY)
        if pending is None or pending.row.id != answer.request_id:
            raise nothing_pending()
        credential = {"rawId": answer.credential.get("id")} | answer.credential
        proof = await self._own.named(PASSKEY).enrol(visit.attempt(pending.state), {"response": json.dumps(credential)})
        if not isinstance(proof, Verified):
            await self._pending.give_up(pending)
            raise IdentityError("invalid_credential", "The passkey was not taken. Begin anew.")
        if not await self._kept(visit, pending, proof):
            raise nothing_pending()
        return json_response(200, await self._added(visit))

    async def rename(self, request: Request) -> Response:
        """PATCH: `[{"operation": "REPLACE", "path": "/displayName", "value": "…"}]`."""
        visit = await self._access.changing(request)
        changes = read_body(request, list[Change])
        label = changes[0].value.strip() if len(changes) == 1 else ""
        if not label or (changes[0].operation.upper(), changes[0].path) != ("REPLACE", "/displayName"):
            raise IdentityError("invalid_patch", "Replace /displayName, and nothing else.")
        if not await self._own.rename(visit, _require(visit, request.path_value), label):
            raise _unknown()
        return json_response(200, {})

    async def remove(self, request: Request) -> Response:
        visit = await self._access.changing(request)
        read_nothing(request)
        if not await self._own.remove(visit, _require(visit, request.path_value)):
            raise _unknown()
        return Response(204)

    async def _kept(self, visit: GrantVisit, pending: Pending, proof: Verified) -> bool:
        async def write(batch: WriteBatch) -> None:
            await self._pending.use_up(batch, pending)
            await visit.shown(batch, proof.amr)

        return await self._own.keep(proof, write)

    async def _added(self, visit: GrantVisit) -> dict[str, Any]:
        """The one that was not there at the beginning of the visit."""
        known = {factor.id for factor in visit.factors}
        after = await self._own.visit(visit.request, visit.grant)
        for factor in after.of_kind(PASSKEY) if after is not None else []:
            if factor.id not in known:
                return _shown(factor)
        raise _unknown()


def _require(visit: GrantVisit, credential: str) -> EnrolledFactor:
    """The person's own. Those of others are not there: IdentityError 404."""
    for factor in visit.of_kind(PASSKEY):
        if factor.document["id"] == credential:
            return factor
    raise _unknown()


def _unknown() -> IdentityError:
    return IdentityError("not_found", "There is no such passkey.", status=404)


def _shown(factor: EnrolledFactor) -> dict[str, Any]:
    return {
        "credential": {"credentialId": factor.document["id"]},
        "displayName": factor.label,
        "registrationTime": as_datetime(factor.created_at).isoformat(),
    }
