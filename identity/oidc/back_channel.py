"""Back-channel logout: the request that tells an application that a session is over (Back-Channel Logout 1.0)."""

from urllib.parse import urlencode

import msgspec

from identity.authn.logout_notices import LogoutNotice
from identity.clock import Clock, seconds
from identity.ids import new_id
from identity.messaging.outbox import Message, Outgoing
from identity.storage.configuration import Configuration
from identity.tokens.addresses import issuer_of
from identity.tokens.responses import ResponseTokens

LOGOUT_TOKEN_SECONDS = 120
EVENT = "http://schemas.openid.net/event/backchannel-logout"
_HEADERS = (("content-type", "application/x-www-form-urlencoded"),)


class BackChannelLogout:
    def __init__(self, configuration: Configuration, responses: ResponseTokens, base_url: str, clock: Clock) -> None:
        self._configuration = configuration
        self._responses = responses
        self._base_url = base_url
        self._clock = clock

    async def build(self, outgoing: Outgoing) -> Message | None:
        """The request of one try, with a token of its own: a later try must be neither expired nor a replay.

        None when the application is gone. Raises IdentityError when the token cannot be made now.
        """
        notice = msgspec.json.decode(outgoing.payload, type=LogoutNotice)
        tenant = await self._configuration.recent(notice.tenant)
        if tenant is None:
            return None
        application = await self._configuration.exact_application(tenant, notice.client_id)
        if application is None or application.id != outgoing.delivery.application:
            return None
        now = seconds(self._clock.now())
        # Back-Channel Logout §2.4: `sub` and `sid` both, never a nonce.
        claims = {
            "iss": issuer_of(self._base_url, tenant.tenant),
            "sub": notice.sub,
            "aud": application.client_id,
            "iat": now,
            "exp": now + LOGOUT_TOKEN_SECONDS,
            "jti": new_id(),
            "events": {EVENT: {}},
            "sid": notice.sid,
        }
        # Back-Channel Logout §2.4: signed, and encrypted where the ID token is, as the ID token.
        token = await self._responses.protect(
            tenant,
            application,
            claims,
            typ="logout+jwt",
            sign=application.id_token_algorithm or tenant.settings.default_algorithm,
            encrypt_alg=application.id_token_encrypted_response_alg,
            encrypt_enc=application.id_token_encrypted_response_enc,
        )
        return Message(urlencode({"logout_token": token}).encode(), _HEADERS)
