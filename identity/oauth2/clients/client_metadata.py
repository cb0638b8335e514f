"""Client metadata as JSON and as the fields of an `Application`: one table, read in both directions.

RFC 7591 §2, OpenID Connect Dynamic Client Registration §2, and the specifications that add a name (RFC 8705 §5,
RFC 9101 §10.5, RFC 9126 §6, RFC 9396 §10, RFC 9449 §5.2, RFC 9701 §6, JARM §3, CIBA §4, the logout specifications).
What is not in the table is ignored, as RFC 7591 §2 demands. Whether values are good together is
`administration.application_rules`' to say.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from identity.domain.applications import Application
from identity.domain.redirect_uris import registrable_redirect_uri
from identity.oauth2.errors import OAuthError

Metadata = Mapping[str, Any]

MAXIMUM_TEXT = 2048
MAXIMUM_STATEMENT = 16_384
MAXIMUM_ITEMS = 100


def invalid_metadata(public: str, *, detail: str = "") -> OAuthError:
    """RFC 7591 §3.2.2."""
    return OAuthError("invalid_client_metadata", public, detail=detail)


def invalid_redirect_uri(public: str) -> OAuthError:
    return OAuthError("invalid_redirect_uri", public)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a member of one JSON type is read into a field, and shown again."""

    wanted: str
    fits: Callable[[Any], bool]
    read: Callable[[Any], Any] = lambda value: value
    show: Callable[[Any], Any] = lambda value: value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAXIMUM_TEXT and value.isprintable()


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAXIMUM_ITEMS and all(_is_text(item) for item in value)


def _sorted_words(value: list[str]) -> tuple[str, ...]:
    """OAuth 2.0 Multiple Response Type Encoding Practices §3: the order of the words has no meaning."""
    return tuple(dict.fromkeys(" ".join(sorted(item.split(" "))) for item in value))


TEXT = Kind(f"a text of at most {MAXIMUM_TEXT} printable characters", _is_text)
STATEMENT = Kind("a JWT", lambda value: isinstance(value, str) and len(value) <= MAXIMUM_STATEMENT)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
NUMBER = Kind("a whole number", lambda value: type(value) is int and abs(value) < 2**53)
TEXTS = Kind(f"an array of at most {MAXIMUM_ITEMS} texts", _are_texts, lambda value: tuple(dict.fromkeys(value)), list)
# An empty address is what some clients send instead of none.
ADDRESSES = Kind(TEXTS.wanted, _are_texts, lambda value: tuple(dict.fromkeys(filter(None, value))), list)
WORDS = Kind("a text with words between spaces", _is_text, lambda value: tuple(dict.fromkeys(value.split())), " ".join)
RESPONSE_TYPES = Kind(TEXTS.wanted, _are_texts, _sorted_words, list)
JWKS = Kind("a JSON Web Key Set", lambda value: isinstance(value, dict), json.dumps, json.loads)


@dataclass(frozen=True, slots=True)
class Field:
    """`name` in JSON, `attribute` of `Application`."""

    name: str
    kind: Kind
    attribute: str = ""

    @property
    def target(self) -> str:
        return self.attribute or self.name


FIELDS = (
    Field("redirect_uris", ADDRESSES),
    Field("token_endpoint_auth_method", TEXT),
    Field("token_endpoint_auth_signing_alg", TEXT),
    Field("grant_types", TEXTS),
    Field("response_types", RESPONSE_TYPES),
    Field("application_type", TEXT),
    Field("client_name", TEXT, "name"),
    Field("client_uri", TEXT),
    Field("logo_uri", TEXT),
    Field("policy_uri", TEXT),
    Field("tos_uri", TEXT),
    Field("contacts", TEXTS),
    Field("scope", WORDS, "scopes"),
    Field("jwks_uri", TEXT),
    Field("jwks", JWKS),
    Field("software_id", TEXT),
    Field("software_version", TEXT),
    Field("software_statement", STATEMENT),
    Field("subject_type", TEXT),
    Field("sector_identifier_uri", TEXT),
    Field("default_max_age", NUMBER),
    Field("require_auth_time", FLAG),
    Field("default_acr_values", TEXTS),
    Field("initiate_login_uri", TEXT),
    Field("request_uris", TEXTS),
    Field("id_token_signed_response_alg", TEXT, "id_token_algorithm"),
    Field("id_token_encrypted_response_alg", TEXT),
    Field("id_token_encrypted_response_enc", TEXT),
    Field("userinfo_signed_response_alg", TEXT),
    Field("userinfo_encrypted_response_alg", TEXT),
    Field("userinfo_encrypted_response_enc", TEXT),
    Field("request_object_signing_alg", TEXT),
    Field("request_object_encryption_alg", TEXT),
    Field("request_object_encryption_enc", TEXT),
    Field("authorization_signed_response_alg", TEXT),
    Field("authorization_encrypted_response_alg", TEXT),
    Field("authorization_encrypted_response_enc", TEXT),
    Field("introspection_signed_response_alg", TEXT),
    Field("introspection_encrypted_response_alg", TEXT),
    Field("introspection_encrypted_response_enc", TEXT),
    Field("require_signed_request_object", FLAG),
    Field("require_pushed_authorization_requests", FLAG),
    Field("authorization_details_types", TEXTS),
    Field("tls_client_auth_subject_dn", TEXT),
    Field("tls_client_auth_san_dns", TEXT),
    Field("tls_client_auth_san_uri", TEXT),
    Field("tls_client_auth_san_ip", TEXT),
    Field("tls_client_auth_san_email", TEXT),
    Field("tls_client_certificate_bound_access_tokens", FLAG),
    Field("dpop_bound_access_tokens", FLAG),
    Field("post_logout_redirect_uris", ADDRESSES),
    Field("frontchannel_logout_uri", TEXT),
    Field("frontchannel_logout_session_required", FLAG),
    Field("backchannel_logout_uri", TEXT),
    Field("backchannel_logout_session_required", FLAG),
    Field("backchannel_token_delivery_mode", TEXT),
    Field("backchannel_client_notification_endpoint", TEXT),
    Field("backchannel_authentication_request_signing_alg", TEXT),
    Field("backchannel_user_code_parameter", FLAG),
)

KEPT = frozenset({"client_name", "token_endpoint_auth_method"})
"""Not taken away by being left out: RFC 7592 §2.2 lets a server ignore that."""

_DEFAULTS = {field.name: field.default for field in fields(Application) if field.default is not MISSING}
NAMES = {field.attribute: field.name for field in FIELDS if field.attribute}
"""By the setting's name, where that is another one."""


def read_member(document: Metadata, field: Field) -> Any:
    """A member as its field wants it; None when it is missing or null. Raises OAuthError."""
    value = document.get(field.name)
    if value is None:
        return None
    if not field.kind.fits(value):
        refuse = invalid_redirect_uri if field.name == "redirect_uris" else invalid_metadata
        raise refuse(f"{field.name} must be {field.kind.wanted}.")
    return field.kind.read(value)


def read_client_metadata(document: Metadata) -> dict[str, Any]:
    """Every field of the table: from the document, or else its default; those of KEPT only when given.

    Raises OAuthError invalid_client_metadata, invalid_redirect_uri.
    """
    values: dict[str, Any] = {}
    for field in FIELDS:
        value = read_member(document, field)
        if value is not None:
            values[field.target] = value
        elif field.name not in KEPT:
            values[field.target] = _DEFAULTS[field.target]
    if document.get("response_types") is None and "authorization_code" not in values["grant_types"]:
        values["response_types"] = ()
    return values


def show_client_metadata(application: Application) -> dict[str, Any]:
    """The application's client metadata; what is not set is left out, never null."""
    shown = {
        field.name: field.kind.show(value)
        for field in FIELDS
        if (value := getattr(application, field.target)) is not None and value != ()
    }
    # Readers of these take their being there for granted.
    return {"redirect_uris": [], "grant_types": [], "response_types": []} | shown


def refusal(problem: str, names: Mapping[str, str] = NAMES) -> OAuthError:
    """What `administration` said about the settings, in the words of client metadata (RFC 7591 §3.2.2).

    `names`: those of fields whose setting is called otherwise.
    """
    setting = problem.replace("The name ", "name ", 1).partition(" ")[0].rstrip(":")
    if setting == "redirect_uris":
        return invalid_redirect_uri(problem)
    rest = problem.removeprefix("The ").removeprefix(setting)
    return invalid_metadata(names.get(setting, problem[: len(problem) - len(rest)]) + rest)


_IMPLICIT = frozenset({"id_token", "token"})
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


def require_consistent(values: Metadata) -> None:
    """RFC 7591 §2.1, and the rules by `application_type` of OpenID Connect Registration §2. Raises OAuthError."""
    words = {word for response_type in values["response_types"] for word in response_type.split()}
    for grant_type, needed in (("authorization_code", words & {"code"}), ("implicit", words & _IMPLICIT)):
        if needed and grant_type not in values["grant_types"]:
            raise invalid_metadata(f"response_types: {sorted(needed)[0]} needs the grant type {grant_type}.")
    if values["application_type"] not in ("web", "native"):
        raise invalid_metadata("application_type must be web or native.")
    for uri in values["redirect_uris"]:
        reason = registrable_redirect_uri(uri)
        if reason is not None:
            raise invalid_redirect_uri(f"redirect_uris: {uri!r} cannot be registered: {reason}.")
        parts = urlsplit(uri)
        secure = parts.scheme == "https" and parts.hostname not in _LOOPBACK_HOSTS
        if values["application_type"] == "web" and words & _IMPLICIT and not secure:
            raise invalid_redirect_uri(
                f"redirect_uris: {uri!r} cannot take tokens: a web application needs https and no loopback host."
            )


def origins_of(redirect_uris: Iterable[str]) -> tuple[str, ...]:
    """The origins of http and https addresses: scripts there may call the token road (decision 20)."""
    parts = (urlsplit(uri) for uri in redirect_uris)
    return tuple(dict.fromkeys(f"{p.scheme}://{p.netloc}" for p in parts if p.scheme in ("http", "https")))
