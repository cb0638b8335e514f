"""`/api/users/v1/me/backup-codes`: a person's own recovery codes, as WSO2's account application calls it."""

from identity.account.account_access import AccountAccess, read_nothing
from identity.account.own_factors import OwnFactors
from identity.authn.authenticators import RECOVERY_CODE, Verified
from identity.authn.authenticators.recovery_code import codes_left
from identity.errors import IdentityError
from identity.web.messages import Request, Response, json_response


class OwnRecoveryCodesEndpoint:
    def __init__(self, access: AccountAccess, own: OwnFactors) -> None:
        self._access = access
        self._own = own

    async def show(self, request: Request) -> Response:
        """GET: how many are left."""
        visit = await self._access.reading(request)
        left = [codes_left(factor) for factor in visit.of_kind(RECOVERY_CODE)]
        return json_response(200, {"remainingBackupCodesCount": left[-1] if left else 0})

    async def make(self, request: Request) -> Response:
        """POST: new ones, shown this once; the old ones end. They prove nothing, so no sign-in gains by them."""
        visit = await self._access.changing(request)
        read_nothing(request)
        factor = self._own.named(RECOVERY_CODE)
        attempt = visit.attempt((await factor.begin_enrolment(visit.attempt())).state)
        proof = await factor.enrol(attempt, {})
        assert isinstance(proof, Verified)
        if not await self._own.keep(proof):
            raise IdentityError("conflict", "New codes are being made already.", status=409)
        page = await factor.enrolment_page(attempt)
        return json_response(200, {"backupCodes": page["codes"]})

    async def remove(self, request: Request) -> Response:
        """DELETE; 404 when there are none."""
        visit = await self._access.changing(request)
        read_nothing(request)
        if not await self._own.remove_kind(visit, RECOVERY_CODE):
            raise IdentityError("not_found", "There are no recovery codes.", status=404)
        return json_response(200, {})
