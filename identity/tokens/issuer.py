"""Makes access and refresh tokens: opaque ones to be stored by hash, or JWTs (RFC 9068, wso2-contracts §1.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from identity.clock import SECOND, Clock, seconds
from identity.domain.applications import Application
from identity.domain.tokens import NO_TERMS, NewRefreshToken, NewToken, TokenTerms
from identity.ids import new_secret
from identity.secrets import token_hash
from identity.storage.configuration import TenantConfiguration
from identity.tokens.addresses import issuer_of
from identity.tokens.keyring import Keyring
from identity.tokens.subjects import shown_subject

ACCESS_TOKEN_PREFIX = "at_"
REFRESH_TOKEN_PREFIX = "rt_"
AUTHORIZATION_CODE_PREFIX = "ac_"

NO_GRANT = "app"
"""Stands for the grant in the `jti` of a token that an application got for itself."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """`row` is to be stored, None for a JWT; `expires_in` seconds from now."""

    value: str
    row: NewToken | None
    expires_in: int


class TokenIssuer:
    def __init__(self, keyring: Keyring, base_url: str, clock: Clock) -> None:
        self._keyring = keyring
        self._base_url = base_url
        self._clock = clock

    def access_token(
        self,
        tenant: TenantConfiguration,
        application: Application,
        *,
        scope: str,
        grant: str = "",
        subject: str = "",
        ends_at: int | None = None,
        terms: TokenTerms = NO_TERMS,
        claims: Mapping[str, Any] | None = None,
    ) -> IssuedToken:
        """A token of the application's type; it never outlives `ends_at` (µs, the end of its grant).

        Without `subject` it is the application's own (client credentials): `sub` is the client id. `claims` are what
        else a JWT says about the person.
        """
        now = self._clock.now()
        lifetime = application.user_access_token_lifetime if subject else application.application_access_token_lifetime
        expires_at = now + lifetime * SECOND
        if ends_at is not None and ends_at < expires_at:
            expires_at = ends_at
        expires_in = (expires_at - now) // SECOND
        audience = terms.resources or default_audience(tenant, application)
        if application.access_token_type == "jwt":
            told = {**(claims or {}), **_members(terms)}
            value = self._jwt(tenant, application, scope, grant, subject, now, expires_at, audience, told)
            return IssuedToken(value, None, expires_in)
        value = ACCESS_TOKEN_PREFIX + new_secret()
        row = NewToken(
            tenant.id,
            token_hash(value),
            application.id,
            grant,
            scope,
            " ".join(audience),
            now,
            expires_at,
            application.version,
            tenant.tenant.version,
            "" if terms is NO_TERMS else _extra(terms),
        )
        return IssuedToken(value, row, expires_in)

    def refresh_token(
        self,
        tenant: TenantConfiguration,
        application: Application,
        *,
        grant: str,
        scope: str,
        parent: bytes | None = None,
        ends_at: int,
        confirmation: str = "",
    ) -> tuple[str, NewRefreshToken]:
        """A refresh token of the family `grant`; `parent` is the hash of the one it was exchanged for, `confirmation`
        the JSON of the `cnf` that its use must prove."""
        now = self._clock.now()
        value = REFRESH_TOKEN_PREFIX + new_secret()
        expires_at = min(now + application.refresh_token_lifetime * SECOND, ends_at)
        row = NewRefreshToken(
            tenant.id, token_hash(value), grant, application.id, scope, parent, now, expires_at, confirmation
        )
        return value, row

    def _jwt(
        self,
        tenant: TenantConfiguration,
        application: Application,
        scope: str,
        grant: str,
        subject: str,
        now: int,
        expires_at: int,
        audience: tuple[str, ...],
        told: dict[str, Any],
    ) -> str:
        issued = seconds(now)
        claims: dict[str, Any] = {
            "iss": issuer_of(self._base_url, tenant.tenant),
            "sub": shown_subject(tenant, application, subject) if subject else application.client_id,
            "aut": "APPLICATION_USER" if subject else "APPLICATION",
            "aud": audience[0] if len(audience) == 1 else audience,
            "nbf": issued,
            "azp": application.client_id,
            "client_id": application.client_id,
            "exp": seconds(expires_at),
            "iat": issued,
            # RFC 9068 §2.2; the part before the dot names the grant whose state introspection reads (decision 8).
            "jti": f"{grant or NO_GRANT}.{new_secret()}",
        }
        if scope:
            claims["scope"] = scope.split() if application.scope_as_array else scope
        if told:
            claims = told | claims
        algorithm = application.access_token_algorithm or tenant.settings.default_algorithm
        return self._keyring.of(tenant).signing(algorithm).sign(claims, "at+jwt")


def default_audience(tenant: TenantConfiguration, application: Application) -> tuple[str, ...]:
    """Decision 4: without `resource`, the tenant's default resource, else client id plus configured audiences."""
    if tenant.settings.default_resource is not None:
        return (tenant.settings.default_resource,)
    return application.client_id, *(a for a in application.audiences if a != application.client_id)


def _members(terms: TokenTerms) -> dict[str, Any]:
    """What the terms add to a token, by claim name."""
    if terms is NO_TERMS:
        return {}
    texts = {
        "cnf": terms.confirmation,
        "authorization_details": terms.authorization_details,
        "act": terms.actor,
        "may_act": terms.may_act,
    }
    members = {name: msgspec.json.decode(text) for name, text in texts.items() if text}
    if terms.acr:
        members["acr"] = terms.acr
    if terms.auth_time is not None:
        members["auth_time"] = terms.auth_time
    return members | _binding(members.get("cnf"), terms.session)


def _binding(confirmation: dict[str, str] | None, session: str) -> dict[str, str]:
    """What the token is bound to, by WSO2's names (wso2-contracts §1.4); a session is named by a hash of its id."""
    if confirmation:
        member, reference = next(iter(confirmation.items()))
        return {"binding_type": "DPoP" if member == "jkt" else "certificate", "binding_ref": reference}
    if session:
        return {"binding_type": "sso-session", "binding_ref": sha256(session.encode()).hexdigest()}
    return {}


def _extra(terms: TokenTerms) -> str:
    members = _members(terms)
    return msgspec.json.encode(members).decode() if members else ""
