"""The `ext_…` fields of the DCR v1.1 door (wso2-contracts §7.2), on the same application as the RFC's metadata.

What an update leaves out stays as it is. Fields that only administrators may set are taken from others as long as they
change nothing, since a client sends back what it has read.
"""

from dataclasses import MISSING, dataclass, fields
from typing import Any

from identity.domain.applications import Application
from identity.oauth2.clients.client_metadata import FLAG, NUMBER, TEXT, Field, Metadata, invalid_metadata, read_member

_ANYBODY = (
    Field("ext_application_display_name", TEXT, "display_name"),
    Field("ext_pkce_mandatory", FLAG, "require_pkce"),
    Field("ext_profile", TEXT, "profile"),
)
_ADMINISTRATORS = (
    Field("ext_allowed_audience", TEXT, "allowed_audience"),
    Field("ext_application_owner", TEXT, "owner"),
    Field("ext_application_token_lifetime", NUMBER, "application_access_token_lifetime"),
    Field("ext_user_token_lifetime", NUMBER, "user_access_token_lifetime"),
    Field("ext_refresh_token_lifetime", NUMBER, "refresh_token_lifetime"),
    Field("ext_id_token_lifetime", NUMBER, "id_token_lifetime"),
)
NAMES = {field.attribute: field.name for field in (*_ANYBODY, *_ADMINISTRATORS)}
"""By the setting's name, for refusals."""
_TOKEN_TYPES = {"JWT": "jwt", "Default": "opaque"}
_SHOWN_TYPES = {kind: name for name, kind in _TOKEN_TYPES.items()}
_TOKEN_TYPE = tuple(Field(name, TEXT) for name in ("ext_token_type", "token_type_extension"))
_PUBLIC = Field("ext_public_client", FLAG)
_PLAIN = Field("ext_pkce_support_plain", FLAG)
_PRESET = (Field("ext_param_client_id", TEXT), Field("ext_param_client_secret", TEXT))
_URL = Field("url", TEXT)
_DEFAULTS = {field.name: field.default for field in fields(Application) if field.default is not MISSING}


@dataclass(frozen=True, slots=True)
class Preset:
    """Credentials that the caller has chosen already."""

    client_id: str | None = None
    client_secret: str | None = None


def read_extensions(document: Metadata, present: Application | None, *, administrator: bool) -> dict[str, Any]:
    """The fields of `Application` that are given. `present`: the application that is changed. Raises OAuthError."""
    values: dict[str, Any] = {}
    for field in (*_ANYBODY, *_ADMINISTRATORS):
        value = read_member(document, field)
        if value is None:
            continue
        before = _DEFAULTS[field.target] if present is None else getattr(present, field.target)
        if field in _ADMINISTRATORS and not administrator and value != before:
            raise invalid_metadata(f"{field.name} may be set by an administrator only.")
        if field.target == "require_pkce" and not administrator and not value:
            # Decision 26: it may ask for more than the tenant's rule does, not for less.
            continue
        values[field.target] = value
    values |= _token_type(document) | _public_client(document, present)
    url = read_member(document, _URL)
    if url is not None and document.get("client_uri") is None:
        values["client_uri"] = url
    # Decision 7: S256 only. What was asked for is read, and the answer says false.
    read_member(document, _PLAIN)
    return values


def read_preset(document: Metadata, *, administrator: bool) -> Preset:
    """Raises OAuthError when somebody else than an administrator presets anything."""
    client_id, client_secret = (read_member(document, field) or None for field in _PRESET)
    if (client_id or client_secret) and not administrator:
        raise invalid_metadata("ext_param_client_id and ext_param_client_secret are for administrators only.")
    if client_id is not None and not _is_plain(client_id):
        raise invalid_metadata(
            "ext_param_client_id must be 1 to 200 letters, digits and - . _ ~, so that it needs no encoding anywhere."
        )
    return Preset(client_id, client_secret)


def show_extensions(application: Application) -> dict[str, Any]:
    """Every field of the door, each with a value: its readers do not expect null."""
    shown = {
        field.name: value
        for field in (*_ANYBODY, *_ADMINISTRATORS)
        if (value := getattr(application, field.target)) not in (None, "")
    }
    return shown | {
        "ext_application_display_name": application.shown_name,
        "ext_pkce_mandatory": application.public or bool(application.require_pkce),
        "ext_pkce_support_plain": False,
        "ext_public_client": application.public,
        "ext_token_type": _SHOWN_TYPES[application.access_token_type],
        "token_type_extension": _SHOWN_TYPES[application.access_token_type],
    }


def _token_type(document: Metadata) -> dict[str, Any]:
    given = {value for field in _TOKEN_TYPE if (value := read_member(document, field)) is not None}
    if not given:
        return {}
    if len(given) > 1 or not given <= _TOKEN_TYPES.keys():
        raise invalid_metadata("ext_token_type must be JWT or Default, and token_type_extension the same.")
    return {"access_token_type": _TOKEN_TYPES[given.pop()]}


def _public_client(document: Metadata, present: Application | None) -> dict[str, Any]:
    public, method = read_member(document, _PUBLIC), document.get("token_endpoint_auth_method")
    if public is None:
        return {}
    if method is not None and (method == "none") != public:
        raise invalid_metadata("ext_public_client and token_endpoint_auth_method contradict each other.")
    if public:
        return {"token_endpoint_auth_method": "none"}
    if method is None and present is not None and present.public:
        return {"token_endpoint_auth_method": "client_secret_basic"}
    return {}


def _is_plain(client_id: str) -> bool:
    return len(client_id) <= 200 and client_id.isascii() and client_id.translate(_UNRESERVED).isalnum()


_UNRESERVED = str.maketrans("-._~", "aaaa")
