"""client_credentials (RFC 6749 §4.4): an application acts for itself. No refresh token, no ID token."""

from typing import Any

from identity.domain.applications import Application
from identity.domain.tokens import TokenQuery
from identity.oauth2.errors import OAuthError
from identity.storage.configuration import ConfigurationMoved
from identity.storage.hot import HotStorage
from identity.tokens.claims import IDENTITY_SCOPES
from identity.tokens.issuer import TokenIssuer
from identity.web.messages import Request

_OF_PEOPLE = frozenset(IDENTITY_SCOPES)


class ClientCredentials:
    grant_type = "client_credentials"

    def __init__(self, issuer: TokenIssuer, hot: HotStorage) -> None:
        self._issuer = issuer
        self._hot = hot

    async def handle(self, request: Request, application: Application, form: dict[str, str]) -> dict[str, Any]:
        if application.public:
            # RFC 6749 §4.4: only confidential clients.
            raise OAuthError("unauthorized_client", "A public client cannot use client_credentials.")
        scope = self._scope(application, form.get("scope", ""))
        issued = self._issuer.access_token(request.tenant, application, scope=scope)
        if issued.row is not None:
            if not await self._hot.issue(issued.row):
                raise ConfigurationMoved
        else:
            await self._confirm(request, application)
        answer = {"access_token": issued.value, "token_type": "Bearer", "expires_in": issued.expires_in}
        if scope:
            answer["scope"] = scope
        return answer

    @staticmethod
    def _scope(application: Application, asked: str) -> str:
        if not asked:
            return ""
        # RFC 6749 §3.3: what it may not have is left out. Scopes about people need a person.
        allowed = [
            scope for scope in dict.fromkeys(asked.split()) if scope in application.scopes and scope not in _OF_PEOPLE
        ]
        return " ".join(allowed)

    async def _confirm(self, request: Request, application: Application) -> None:
        """A JWT is not stored, so the exactness that the insert would give is asked for."""
        state = await self._hot.look_up(TokenQuery(request.tenant.id, b"", application.id))
        if state.tenant_version != request.tenant.tenant.version or state.caller_version != application.version:
            raise ConfigurationMoved
