"""authorization_code (RFC 6749 §4.1.3, RFC 7636 §4.5): redeemed once; a replay revokes what the code gave."""

import hashlib
import hmac
import re
from typing import Any

from identity.clock import Clock
from identity.domain.events import EventType
from identity.domain.tokens import RedeemableState
from identity.oauth2.errors import invalid_grant
from identity.oauth2.family import Families
from identity.oauth2.grants import TokenCall
from identity.oauth2.token_answer import GrantTokens, gets_refresh_token, granted_terms
from identity.secrets import base64url, token_hash
from identity.storage.configuration import ConfigurationMoved
from identity.storage.hot import HotStorage
from identity.tokens.issuer import AUTHORIZATION_CODE_PREFIX
from identity.web.messages import Request

_CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class AuthorizationCodeGrant:
    grant_type = "authorization_code"

    def __init__(self, hot: HotStorage, tokens: GrantTokens, families: Families, clock: Clock) -> None:
        self._hot = hot
        self._tokens = tokens
        self._families = families
        self._clock = clock

    async def handle(self, call: TokenCall) -> dict[str, Any]:
        request, application, form = call.request, call.application, call.form
        code = call.required("code")
        if not code.startswith(AUTHORIZATION_CODE_PREFIX):
            raise invalid_grant("not a code")
        tenant, digest = call.tenant, token_hash(code)
        state = await self._hot.read_code(tenant.id, digest, application.id)
        if state.tenant_version != tenant.tenant.version or state.caller_version != application.version:
            raise ConfigurationMoved
        if not state.found or state.application != application.id:
            raise invalid_grant("unknown, or another client's")
        self._check_proof(state, form)
        if state.confirmation and state.confirmation != call.confirmation:
            # RFC 9449 §10: the code was asked for with `dpop_jkt`.
            raise invalid_grant("another key than the code's dpop_jkt")
        if state.consumed_at is not None:
            await self._replayed(request, state)
        if state.expires_at <= self._clock.now() or not self._families.stands(state):
            raise invalid_grant("expired or revoked")
        scope = state.grant_scope
        refresh = gets_refresh_token(application, scope)
        made = await self._tokens.make(
            tenant,
            application,
            state,
            scope=scope,
            nonce=state.nonce,
            refresh=refresh,
            refresh_scope=scope,
            terms=granted_terms(call, state),
        )
        won = await self._hot.redeem_code(
            tenant=tenant.id, hash=digest, now=self._clock.now(), access=made.access, refresh=made.refresh
        )
        if not won:
            # Somebody redeemed it since we read it: two redemptions of one code are a replay, whoever was first.
            await self._replayed(request, state)
        return made.answer

    def _check_proof(self, state: RedeemableState, form: dict[str, str]) -> None:
        # RFC 6749 §4.1.3: the same redirect_uri, if the request had one.
        if state.redirect_uri and form.get("redirect_uri") != state.redirect_uri:
            raise invalid_grant("redirect_uri")
        verifier = form.get("code_verifier")
        if not state.code_challenge:
            if verifier is not None:
                # RFC 9700 §2.1.1: a verifier without a challenge is a PKCE downgrade.
                raise invalid_grant("code_verifier without code_challenge")
            return
        # RFC 7636 §4.6
        if verifier is None or not _CODE_VERIFIER.fullmatch(verifier):
            raise invalid_grant("code_verifier missing or malformed")
        digest = hashlib.sha256(verifier.encode("ascii")).digest()
        if not hmac.compare_digest(base64url(digest).encode(), state.code_challenge.encode()):
            raise invalid_grant("code_verifier")

    async def _replayed(self, request: Request, state: RedeemableState) -> None:
        """RFC 6749 §4.1.2: revoke everything the code gave, then refuse."""
        await self._families.revoke(request, state, EventType.CODE_REPLAYED)
        raise invalid_grant("replayed")
