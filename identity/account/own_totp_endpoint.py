"""`/api/users/v1/me/totp`: a person's own authenticator app, as WSO2's account application calls it.

`POST` with an `action`: `INIT` and `REFRESH` begin with a new secret, `VALIDATE` proves it by a `verificationCode` and
keeps it, `VIEW` shows once more what was begun. A secret that is in use is never shown again, to nobody.
"""

import base64
from typing import Any, Literal

import msgspec

from identity.account.account_access import AccountAccess, GrantVisit, read_nothing
from identity.account.own_factors import OwnFactors
from identity.account.pending_enrolments import Pending, PendingEnrolments
from identity.authn.authenticators import TOTP, Rejected
from identity.authn.authenticators.totp import DIGITS
from identity.errors import IdentityError
from identity.storage.write_batch import WriteBatch
from identity.web.json_bodies import read_body
from identity.web.messages import Request, Response, json_response


class TotpAction(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    action: Literal["INIT", "REFRESH", "VALIDATE", "VIEW"]
    verification_code: str | int = ""
    """A number has lost its leading zeros."""


class OwnTotpEndpoint:
    def __init__(self, access: AccountAccess, own: OwnFactors, pending: PendingEnrolments) -> None:
        self._access = access
        self._own = own
        self._pending = pending

    async def show(self, request: Request) -> Response:
        """GET: whether there is one."""
        visit = await self._access.reading(request)
        return json_response(200, _enrolled(visit))

    async def act(self, request: Request) -> Response:
        """POST: one of the actions."""
        visit = await self._access.changing(request)
        body = read_body(request, TotpAction)
        if body.action == "VALIDATE":
            return await self._validate(visit, body.verification_code)
        if body.action != "VIEW":
            begun = await self._own.named(TOTP).begin_enrolment(visit.attempt())
            await self._pending.begin(visit, TOTP, begun.state)
        pending = await self._pending.find(visit, TOTP)
        return json_response(200, _enrolled(visit) | await self._to_scan(visit, pending))

    async def remove(self, request: Request) -> Response:
        """DELETE; 404 when there is none."""
        visit = await self._access.changing(request)
        read_nothing(request)
        if not await self._own.remove_kind(visit, TOTP):
            raise IdentityError("not_found", "There is no authenticator app.", status=404)
        return json_response(200, {})

    async def _validate(self, visit: GrantVisit, code: str | int) -> Response:
        pending = await self._pending.find(visit, TOTP)
        if pending is None:
            raise nothing_pending()
        typed = f"{code:0{DIGITS}d}" if isinstance(code, int) else code
        proof = await self._own.named(TOTP).enrol(visit.attempt(pending.state), {"code": typed})
        if isinstance(proof, Rejected):
            return json_response(200, {"isValid": False})

        async def write(batch: WriteBatch) -> None:
            await self._pending.use_up(batch, pending)
            await visit.shown(batch, proof.amr)

        if not await self._own.keep(proof, write):
            raise nothing_pending()
        return json_response(200, {"isValid": True})

    async def _to_scan(self, visit: GrantVisit, pending: Pending | None) -> dict[str, str]:
        """The address for the app (`otpauth:`) in base64, as WSO2 has it; nothing when nothing is pending."""
        if pending is None:
            return {}
        shown = await self._own.named(TOTP).enrolment_page(visit.attempt(pending.state))
        return {"qrCodeUrl": base64.b64encode(shown["uri"].encode()).decode()}


def _enrolled(visit: GrantVisit) -> dict[str, Any]:
    return {"isEnrolled": bool(visit.of_kind(TOTP))}


def nothing_pending() -> IdentityError:
    """The same for what was never begun, begun by others, used up or too old."""
    return IdentityError("nothing_pending", "Nothing is pending, or it has ended. Begin anew.")
