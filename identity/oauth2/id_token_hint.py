"""`id_token_hint`: whom the application believes signed in (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2).

Expired hints count: they say who, not whether they still may.
"""

from identity.domain.applications import Application
from identity.storage.configuration import TenantConfiguration
from identity.tokens.addresses import issuer_of
from identity.tokens.jose import Claims, InvalidToken
from identity.tokens.keyring import Keyring


def read_hint(keyring: Keyring, base_url: str, tenant: TenantConfiguration, hint: str) -> Claims:
    """The claims of an ID token that this tenant issued. Raises InvalidToken."""
    claims = keyring.of(tenant).verification.verify(hint, frozenset({"JWT"}))
    if claims.get("iss") != issuer_of(base_url, tenant.tenant) or "auth_time" not in claims:
        raise InvalidToken("not an ID token of this issuer")
    if not isinstance(claims.get("sub"), str) or not isinstance(claims.get("aud"), str):
        raise InvalidToken("sub or aud")
    return claims


def subject_of_hint(
    keyring: Keyring, base_url: str, tenant: TenantConfiguration, hint: str, application: Application
) -> str:
    """The `sub` of a hint that was issued to this application. Raises InvalidToken."""
    claims = read_hint(keyring, base_url, tenant, hint)
    if claims["aud"] != application.client_id:
        raise InvalidToken("aud")
    subject: str = claims["sub"]
    return subject
