"""The token response (RFC 6749 §5.1), and the tokens that a person's grant gives."""

from dataclasses import dataclass
from typing import Any

from identity.domain.applications import Application
from identity.domain.tokens import NewRefreshToken, NewToken, RedeemableState
from identity.secrets import Sealer
from identity.storage.configuration import TenantConfiguration
from identity.tokens.claims import names_of_scope, open_claims, requested_names, select_claims
from identity.tokens.id_token import IdTokenIssuer
from identity.tokens.issuer import TokenIssuer


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

    def make(
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
    ) -> GrantedTokens:
        """Access token, refresh token if `refresh`, ID token for `openid`; none outlives the grant."""
        scopes = scope.split()
        openid = "openid" in scopes
        needs_claims = openid or application.access_token_type == "jwt"
        claims = open_claims(self._sealer, state.claims, state.grant) if needs_claims else {}
        access = self._issuer.access_token(
            tenant,
            application,
            scope=scope,
            grant=state.grant,
            subject=state.subject,
            ends_at=state.grant_expires_at,
            extra=select_claims(claims, frozenset({"groups"})) if "groups" in scopes else None,
        )
        answer: dict[str, Any] = {
            "access_token": access.value,
            "token_type": "Bearer",
            "expires_in": access.expires_in,
        }
        if scope:
            answer["scope"] = scope
        row: NewRefreshToken | None = None
        if refresh:
            answer["refresh_token"], row = self._issuer.refresh_token(
                tenant,
                application,
                grant=state.grant,
                scope=refresh_scope,
                parent=parent,
                ends_at=state.grant_expires_at,
            )
        if openid:
            answer["id_token"] = self._id_token(tenant, application, state, scope, nonce, claims, access.value)
        return GrantedTokens(access.row, row, answer)

    def _id_token(
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
        return self._id_tokens.id_token(
            tenant,
            application,
            subject=state.subject,
            auth_time=state.auth_time,
            acr=state.acr,
            amr=state.amr,
            nonce=nonce,
            session=state.session or None,
            access_token=access_token,
            claims=select_claims(claims, names),
        )


def gets_refresh_token(application: Application, scope: str) -> bool:
    """Decision 11: the grant is enabled and `offline_access` was granted, or the application's setting."""
    return "refresh_token" in application.grant_types and (
        "offline_access" in scope.split() or application.refresh_without_offline_access
    )
