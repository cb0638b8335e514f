"""Claims that a script sets for one sign-in (`user.claims`): its tokens tell them, no store ever has them."""

from typing import Any

from identity.authn.login_record import LoginRecord
from identity.authn.script_answers.claims import attribute_of
from identity.domain.applications import Application
from identity.tokens.claims import STANDARD_CLAIMS

MAXIMUM_VALUE = 1024
_NOT_OF_SCRIPTS = frozenset({
    "sub", "groups", "roles", "role", "permissions", "scp", "address", "updated_at", "email_verified",
    "phone_number_verified",
    # What tokens say of themselves (RFC 7519 §4.1, RFC 9068 §2.2, OpenID Connect Core §2, wso2-contracts §1.4).
    "iss", "aud", "exp", "nbf", "iat", "jti", "azp", "client_id", "aut", "scope", "cnf", "act", "may_act", "acr", "amr",
    "auth_time", "nonce", "sid", "at_hash", "c_hash", "s_hash", "binding_type", "binding_ref", "authorization_details",
    "events", "entitlements", "realm", "org_id", "org_name", "org_handle", "user_org", "app_td", "user_td",
    "grant_type", "token_id", "entity_id", "entity_type", "is_consented", "is_federated", "username", "active",
})  # fmt: skip
"""What others rely on, and what is no text."""


def session_claims(record: LoginRecord, application: Application | None) -> dict[str, str]:
    """By our names, for the person who has signed in; an empty text takes the claim away."""
    effects = record.script.last.get("effects", []) if record.script is not None else []
    return {
        attribute_of(effect["claim"]): effect["value"][:MAXIMUM_VALUE]
        for effect in effects
        if effect["kind"] == "session_claim" and may_be_set(effect, record.subject, application)
    }


def may_be_set(effect: dict[str, Any], subject: str, application: Application | None) -> bool:
    """A standard claim, or one of the application's own that its access tokens are set to have."""
    name = attribute_of(effect["claim"])
    own = application.access_token_claims if application is not None else ()
    return effect["user"] == subject and name not in _NOT_OF_SCRIPTS and (name in STANDARD_CLAIMS or name in own)
