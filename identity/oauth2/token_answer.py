"""The token response (RFC 6749 §5.1), and the tokens that a person's grant gives."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from identity.clock import seconds
from identity.domain.applications import Application
from identity.domain.tokens import NO_TERMS, NewRefreshToken, NewToken, RedeemableState, TokenTerms
from identity.oauth2.authorization_details import narrowed_details
from identity.oauth2.grants import TokenCall
from identity.oauth2.resources import invalid_target, narrowed_resources
from identity.secrets import Sealer
from identity.storage.configuration import TenantConfiguration
from identity.tokens.claims import names_of_scope, open_claims, requested_names, select_claims
from identity.tokens.id_token import IdTokenIssuer
from identity.tokens.issuer import TokenIssuer
from identity.tokens.subjects import shown_subject

WITHOUT_SIGN_IN = frozenset({"token_exchange", "jwt_bearer"})
"""Grants for which nobody has signed in to the application: an ID token would say that they had."""


@dataclass(frozen=True, slots=True)
class GrantedTokens:
    """What to store and what to answer."""

    access: NewToken | None
    refresh: NewRefreshToken | None
    answer: dict[str, Any]


class GrantTokens:
    """Makes the tokens of a redeemed code or refresh token."""

    def __init__(self, issuer: TokenIssuer, id_tokens: IdTokenIssuer, sealer: Sealer) -> None:
        self._issuer = issuer
        self._id_tokens = id_tokens
        self._sealer = sealer

    async def make(
        self,
        tenant: TenantConfiguration,
        application: Application,
        state: RedeemableState,
        *,
        scope: str,
        nonce: str | None,
        refresh: bool,
        refresh_scope: str,
        parent: bytes | None = None,
        terms: TokenTerms = NO_TERMS,
    ) -> GrantedTokens:
        """Access token, refresh token if `refresh`, ID token for `openid`; none outlives the grant."""
        scopes = scope.split()
        openid = "openid" in scopes and state.kind not in WITHOUT_SIGN_IN
        needs_claims = openid or application.access_token_type == "jwt"
        claims = open_claims(self._sealer, state.claims, state.grant) if needs_claims else {}
        access = self._issuer.access_token(
            tenant,
            application,
            scope=scope,
            grant=state.grant,
            subject=state.subject,
            ends_at=state.grant_expires_at,
            terms=terms,
            claims=access_token_claims(application, scopes, claims),
        )
        answer: dict[str, Any] = {
            "access_token": access.value,
            "token_type": token_type(terms.confirmation),
            "expires_in": access.expires_in,
        }
        if scope:
            answer["scope"] = scope
        if terms.authorization_details:
            # RFC 9396 §7
            answer["authorization_details"] = msgspec.json.decode(terms.authorization_details)
        row: NewRefreshToken | None = None
        if refresh:
            answer["refresh_token"], row = self._issuer.refresh_token(
                tenant,
                application,
                grant=state.grant,
                scope=refresh_scope,
                parent=parent,
                ends_at=state.grant_expires_at,
                # RFC 9449 §5: those of confidential clients are bound by the client's authentication.
                confirmation=terms.confirmation if application.public else "",
            )
        if openid:
            answer["id_token"] = await self._id_token(tenant, application, state, scope, nonce, claims, access.value)
        return GrantedTokens(access.row, row, answer)

    async def _id_token(
        self,
        tenant: TenantConfiguration,
        application: Application,
        state: RedeemableState,
        scope: str,
        nonce: str | None,
        claims: dict[str, Any],
        access_token: str,
    ) -> str:
        names = set(requested_names(state.requested_claims, "id_token"))
        if application.id_token_claims == "scopes":
            names |= names_of_scope(scope)
        return await self._id_tokens.id_token(
            tenant,
            application,
            subject=shown_subject(tenant, application, state.subject),
            auth_time=state.auth_time,
            acr=state.acr,
            amr=state.amr,
            nonce=nonce,
            session=state.session or None,
            access_token=access_token,
            claims=select_claims(claims, names),
        )


def token_type(confirmation: str) -> str:
    """RFC 9449 §5: a token bound to a DPoP key is of the type DPoP; one bound to a certificate stays Bearer."""
    return "DPoP" if confirmation.startswith('{"jkt"') else "Bearer"


def granted_terms(call: TokenCall, state: RedeemableState) -> TokenTerms:
    """What the grant of a code or refresh token and the key of this call limit its access token to.

    Of the grant's resources and details, those that the call asks for. Raises OAuthError for more than was granted.
    """
    application = call.application
    if not (
        call.resources or call.authorization_details or call.confirmation or application.require_resource
        or application.token_binding != "none" or state.resources or state.authorization_details or state.actor
        or state.requested_claims
    ):  # fmt: skip
        return NO_TERMS
    unasked = set() if state.resources or application.skip_consent else {*call.resources} - {*application.audiences}
    if unasked:
        # RFC 8707 §2.2: no more than was granted, and the person was asked about no resource.
        raise invalid_target("Name the resource in the authorization request: the person is asked about it there.")
    terms = TokenTerms(
        resources=narrowed_resources(application, tuple(state.resources.split()), call.resources),
        confirmation=call.confirmation,
        authorization_details=narrowed_details(state.authorization_details, call.authorization_details),
        actor=state.actor,
        session=state.session if application.token_binding == "sso-session" else "",
    )
    if state.requested_claims:
        acr, auth_time = asked_sign_in(state.requested_claims, state.acr, state.auth_time)
        terms = replace(terms, acr=acr, auth_time=auth_time)
    return NO_TERMS if terms == NO_TERMS else terms


def asked_terms(call: TokenCall) -> TokenTerms:
    """What a call without an authorization before it asks its token to be limited to, and the key it proves."""
    if not (call.resources or call.authorization_details or call.confirmation or call.application.require_resource):
        return NO_TERMS
    return TokenTerms(
        resources=narrowed_resources(call.application, (), call.resources),
        confirmation=call.confirmation,
        authorization_details=call.authorization_details,
    )


def asked_sign_in(requested_claims: str, acr: str, auth_time: int) -> tuple[str, int | None]:
    """What the access token says of the sign-in: `acr` and `auth_time` (seconds) where the request asked for them
    (RFC 9470 §6). `auth_time` µs."""
    names = requested_names(requested_claims, "id_token")
    return acr if "acr" in names else "", seconds(auth_time) if "auth_time" in names else None


def access_token_claims(application: Application, scopes: list[str], claims: dict[str, Any]) -> dict[str, Any] | None:
    """What a JWT access token says about the person: groups by scope, and what the application is set to get."""
    names = set(application.access_token_claims)
    if "groups" in scopes:
        names.add("groups")
    return select_claims(claims, names) if names else None


def gets_refresh_token(application: Application, scope: str) -> bool:
    """Decision 11: the grant is enabled and `offline_access` was granted, or the application's setting."""
    return "refresh_token" in application.grant_types and (
        "offline_access" in scope.split() or application.refresh_without_offline_access
    )
