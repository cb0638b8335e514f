"""device_code (RFC 8628 §3.4): a device without a browser polls until the person has decided on another one."""

from typing import Any

from identity.domain.applications import DEVICE_CODE
from identity.domain.pending_authorizations import DEVICE_CODE_PREFIX
from identity.oauth2.approvals.polling import Polling
from identity.oauth2.errors import invalid_grant
from identity.oauth2.grants import TokenCall


class DeviceCodeGrant:
    grant_type = DEVICE_CODE

    def __init__(self, polling: Polling) -> None:
        self._polling = polling

    async def handle(self, call: TokenCall) -> dict[str, Any]:
        device_code = call.required("device_code")
        if not device_code.startswith(DEVICE_CODE_PREFIX):
            raise invalid_grant("not a device code")
        return await self._polling.answer(call, "device", device_code)
