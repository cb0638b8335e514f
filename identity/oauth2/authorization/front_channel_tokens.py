"""The tokens of an authorization response (OpenID Connect Core §3.2.2.5, §3.3.2.5): never a refresh token."""

from typing import TYPE_CHECKING, Any

import msgspec

from identity.authn.people import Person
from identity.domain.grants import Grant
from identity.domain.tokens import TokenTerms
from identity.oauth2.token_answer import GrantedTokens, access_token_claims, asked_sign_in
from identity.storage.configuration import TenantConfiguration
from identity.tokens.claims import names_of_scope, requested_names, select_claims
from identity.tokens.id_token import IdTokenIssuer
from identity.tokens.issuer import IssuedToken, TokenIssuer
from identity.tokens.subjects import shown_subject

if TYPE_CHECKING:
    from identity.oauth2.authorization.authorization_issuer import Decision


class FrontChannelTokens:
    def __init__(self, issuer: TokenIssuer, id_tokens: IdTokenIssuer) -> None:
        self._issuer = issuer
        self._id_tokens = id_tokens

    async def make(
        self, tenant: TenantConfiguration, decision: "Decision", grant: Grant, person: Person, code: str | None
    ) -> GrantedTokens:
        """What the response type asks for beside `code`. Raises NoEncryptionKey."""
        words = decision.request.response_words
        answer: dict[str, Any] = {}
        access: IssuedToken | None = None
        if "token" in words:
            access = self._access_token(tenant, decision, grant, person)
            # RFC 6749 §4.2.2
            answer |= {"access_token": access.value, "token_type": "Bearer", "expires_in": access.expires_in}
            if grant.scope:
                answer["scope"] = grant.scope
            if grant.authorization_details:
                answer["authorization_details"] = msgspec.json.decode(grant.authorization_details)
        if "id_token" in words:
            value = access.value if access is not None else None
            answer["id_token"] = await self._id_token(tenant, decision, grant, person, code, value)
        return GrantedTokens(access.row if access is not None else None, None, answer)

    def _access_token(
        self, tenant: TenantConfiguration, decision: "Decision", grant: Grant, person: Person
    ) -> IssuedToken:
        application = decision.application
        bound = application.token_binding == "sso-session"
        acr, auth_time = asked_sign_in(grant.requested_claims, grant.acr, grant.auth_time)
        return self._issuer.access_token(
            tenant,
            application,
            scope=grant.scope,
            grant=grant.id,
            subject=grant.subject,
            ends_at=grant.expires_at,
            terms=TokenTerms(
                resources=tuple(grant.resources.split()),
                authorization_details=grant.authorization_details,
                session=(grant.session or "") if bound else "",
                acr=acr,
                auth_time=auth_time,
            ),
            claims=access_token_claims(application, grant.scope.split(), decision.claims_of(person)),
        )

    async def _id_token(
        self,
        tenant: TenantConfiguration,
        decision: "Decision",
        grant: Grant,
        person: Person,
        code: str | None,
        access_token: str | None,
    ) -> str:
        application, request = decision.application, decision.request
        names = set(requested_names(grant.requested_claims, "id_token"))
        # Decision 6; OpenID Connect Core §5.4: where no access token is given, there is no userinfo to ask.
        if application.id_token_claims == "scopes" or request.response_type == "id_token":
            names |= names_of_scope(grant.scope)
        return await self._id_tokens.id_token(
            tenant,
            application,
            subject=shown_subject(tenant, application, grant.subject),
            auth_time=grant.auth_time,
            acr=grant.acr,
            amr=grant.amr,
            nonce=request.nonce,
            session=grant.session,
            access_token=access_token,
            claims=select_claims(decision.claims_of(person), names),
            code=code,
            state=request.state,
        )
