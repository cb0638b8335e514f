"""ciba (OpenID CIBA Core 1.0 §10.1): the client polls, by itself or after a ping, until the person has decided."""

from typing import Any

from identity.domain.applications import CIBA
from identity.domain.pending_authorizations import AUTH_REQ_ID_PREFIX
from identity.oauth2.approvals.polling import Polling
from identity.oauth2.errors import invalid_grant
from identity.oauth2.grants import TokenCall


class CibaGrant:
    grant_type = CIBA

    def __init__(self, polling: Polling) -> None:
        self._polling = polling

    async def handle(self, call: TokenCall) -> dict[str, Any]:
        auth_req_id = call.required("auth_req_id")
        if not auth_req_id.startswith(AUTH_REQ_ID_PREFIX):
            raise invalid_grant("not an auth_req_id")
        return await self._polling.answer(call, "ciba", auth_req_id)
