"""client_credentials (RFC 6749 §4.4): an application acts for itself. No refresh token, no ID token."""

from typing import Any

import msgspec

from identity.domain.applications import Application
from identity.domain.tokens import TokenQuery
from identity.oauth2.errors import OAuthError
from identity.oauth2.grants import TokenCall
from identity.oauth2.scope_policy import ScopePolicy
from identity.oauth2.token_answer import asked_terms, token_type
from identity.storage.configuration import ConfigurationMoved
from identity.storage.hot import HotStorage
from identity.tokens.issuer import TokenIssuer
from identity.web.messages import Request


class ClientCredentials:
    grant_type = "client_credentials"

    def __init__(self, issuer: TokenIssuer, hot: HotStorage, scopes: ScopePolicy) -> None:
        self._issuer = issuer
        self._hot = hot
        self._scopes = scopes

    async def handle(self, call: TokenCall) -> dict[str, Any]:
        request, application = call.request, call.application
        if application.public:
            # RFC 6749 §4.4: only confidential clients.
            raise OAuthError("unauthorized_client", "A public client cannot use client_credentials.")
        # RFC 6749 §3.3: what it may not have is left out. Scopes about people need a person.
        asked = call.form.get("scope", "").split()
        scope = " ".join(await self._scopes.allowed(request.tenant, application, None, asked)) if asked else ""
        terms = asked_terms(call)
        issued = self._issuer.access_token(request.tenant, application, scope=scope, terms=terms)
        if issued.row is not None:
            if not await self._hot.issue(issued.row):
                raise ConfigurationMoved
        else:
            await self._confirm(request, application)
        answer: dict[str, Any] = {
            "access_token": issued.value,
            "token_type": token_type(call.confirmation),
            "expires_in": issued.expires_in,
        }
        if scope:
            answer["scope"] = scope
        if terms.authorization_details:
            answer["authorization_details"] = msgspec.json.decode(terms.authorization_details)
        return answer

    async def _confirm(self, request: Request, application: Application) -> None:
        """A JWT is not stored, so the exactness that the insert would give is asked for."""
        state = await self._hot.look_up(TokenQuery(request.tenant.id, b"", application.id))
        if state.tenant_version != request.tenant.tenant.version or state.caller_version != application.version:
            raise ConfigurationMoved
