"""What an application's settings must be together. `RULES` is the list; each gives what is wrong, or None.

Registration, update, command line and tests pass through here, so that none of them can save what another refuses.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from identity.administration.profile_rules import profile_problem
from identity.administration.sign_in_rules import minimum_acr_problem, steps_problem
from identity.domain.applications import CIBA, GRANT_TYPES, RESPONSE_TYPES, Application
from identity.domain.distinguished_names import parse_name
from identity.domain.keys import CONTENT_ENCRYPTIONS, KEY_MANAGEMENT_ALGORITHMS, SIGNING_ALGORITHMS
from identity.domain.redirect_uris import registrable_redirect_uri
from identity.domain.tenants import Tenant
from identity.tokens.public_keys import jwks_problem

MAXIMUM_LIFETIME = 366 * 86400
MAXIMUM_GRACE = 60
MAXIMUM_ADDRESSES = 100
LIFETIMES = (
    "user_access_token_lifetime",
    "application_access_token_lifetime",
    "refresh_token_lifetime",
    "id_token_lifetime",
)
MAC_ALGORITHMS = ("HS256", "HS384", "HS512")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OWN_SIGNATURES = (
    "access_token_algorithm",
    "id_token_algorithm",
    "userinfo_signed_response_alg",
    "authorization_signed_response_alg",
    "introspection_signed_response_alg",
)
_CLIENT_SIGNATURES = ("request_object_signing_alg", "backchannel_authentication_request_signing_alg")
_ENCRYPTED = ("id_token_encrypted", "userinfo_encrypted", "authorization_encrypted", "introspection_encrypted")
_CERTIFICATE_NAMES = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)
_OUTBOUND = (
    "jwks_uri",
    "sector_identifier_uri",
    "backchannel_logout_uri",
    "backchannel_client_notification_endpoint",
)
_SHOWN = ("policy_uri", "tos_uri", "client_uri", "logo_uri")


def application_problem(application: Application, tenant: Tenant) -> str | None:
    """What is wrong with these settings, in words for an administrator, or None."""
    for rule in RULES:
        problem = rule(application)
        if problem is not None:
            return problem
    return profile_problem(application, tenant)


def signing_algorithms_of(application: Application) -> list[str | None]:
    """The algorithms that the tenant needs keys of for this application; None stands for its default."""
    named = [getattr(application, name) for name in _OWN_SIGNATURES]
    wrapping = application.request_object_encryption_alg
    return [*named, wrapping.partition("+")[0] if wrapping else None]


def _name(application: Application) -> str | None:
    for name in (application.name, application.shown_name):
        if not name or len(name) > 200 or not name.isprintable():
            return "The name must be 1 to 200 printable characters."
    return None


def _grants(application: Application) -> str | None:
    for grant_type in application.grant_types:
        if grant_type not in GRANT_TYPES:
            return f"grant_types: {grant_type!r} is not supported."
    if application.public and {"client_credentials", CIBA} & set(application.grant_types):
        return "A public application cannot use client_credentials or CIBA: nobody else could be told from it."
    if "authorization_code" in application.grant_types and not application.redirect_uris:
        return "redirect_uris: the authorization code grant needs at least one."
    for response_type in application.response_types:
        if response_type not in RESPONSE_TYPES:
            return f"response_types: {response_type!r} is not supported."
    return None


def _lifetimes(application: Application) -> str | None:
    for name in LIFETIMES:
        if not 1 <= getattr(application, name) <= MAXIMUM_LIFETIME:
            return f"{name} must be 1 to {MAXIMUM_LIFETIME} seconds."
    if not 0 <= application.refresh_grace_seconds <= MAXIMUM_GRACE:
        return f"refresh_grace_seconds must be 0 to {MAXIMUM_GRACE}."
    if application.default_max_age is not None and not 0 <= application.default_max_age <= MAXIMUM_LIFETIME:
        return f"default_max_age must be 0 to {MAXIMUM_LIFETIME} seconds."
    return None


def _algorithms(application: Application) -> str | None:
    for name in (*_OWN_SIGNATURES, *_CLIENT_SIGNATURES):
        algorithm = getattr(application, name)
        if algorithm is not None and algorithm not in SIGNING_ALGORITHMS:
            return f"{name}: {algorithm!r} is not supported: use {', '.join(SIGNING_ALGORITHMS)}."
    for prefix in (*_ENCRYPTED, "request_object"):
        ending = (
            ("encryption_alg", "encryption_enc") if prefix == "request_object" else ("response_alg", "response_enc")
        )
        wrapping, content = (getattr(application, f"{prefix}_{name}") for name in ending)
        if wrapping is not None and wrapping not in KEY_MANAGEMENT_ALGORITHMS:
            return f"{prefix}_{ending[0]}: use {', '.join(KEY_MANAGEMENT_ALGORITHMS)}."
        if content is not None and (wrapping is None or content not in CONTENT_ENCRYPTIONS):
            return f"{prefix}_{ending[1]}: use {' or '.join(CONTENT_ENCRYPTIONS)}, together with {ending[0]}."
        if wrapping is not None and prefix != "request_object" and not (application.jwks or application.jwks_uri):
            return f"{prefix}_{ending[0]}: encrypting needs the application's keys (jwks or jwks_uri)."
    return None


def _keys(application: Application) -> str | None:
    if application.jwks is not None and application.jwks_uri is not None:
        # OpenID Connect Dynamic Client Registration §2
        return "Give jwks or jwks_uri, not both."
    if application.jwks is not None:
        problem = jwks_problem(application.jwks)
        return f"jwks: {problem}" if problem else None
    return None


def _authentication(application: Application) -> str | None:
    method, algorithm = application.token_endpoint_auth_method, application.token_endpoint_auth_signing_alg
    has_keys = application.jwks is not None or application.jwks_uri is not None
    if method in ("private_key_jwt", "self_signed_tls_client_auth") and not has_keys:
        return f"token_endpoint_auth_method: {method} needs the application's keys (jwks or jwks_uri)."
    if method == "client_secret_jwt" and not application.keep_client_secret:
        return "token_endpoint_auth_method: client_secret_jwt needs keep_client_secret."
    fitting = {"private_key_jwt": SIGNING_ALGORITHMS, "client_secret_jwt": MAC_ALGORITHMS}
    # Other methods sign nothing; but libraries register their default with them too.
    allowed = fitting.get(method, (*SIGNING_ALGORITHMS, *MAC_ALGORITHMS))
    if algorithm is not None and algorithm not in allowed:
        return f"token_endpoint_auth_signing_alg: {algorithm!r} does not fit {method}: use {', '.join(allowed)}."
    given = [name for name in _CERTIFICATE_NAMES if getattr(application, name) is not None]
    if method == "tls_client_auth" and len(given) != 1:
        # RFC 8705 §2.1.2
        return f"tls_client_auth needs exactly one of {', '.join(_CERTIFICATE_NAMES)}."
    return _distinguished_name(application.tls_client_auth_subject_dn)


def _distinguished_name(text: str | None) -> str | None:
    try:
        if text is not None:
            parse_name(text)
    except ValueError as error:
        return f"tls_client_auth_subject_dn is no distinguished name (RFC 4514): {error}."
    return None


def _redirects(application: Application) -> str | None:
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        uris = getattr(application, name)
        if len(uris) > MAXIMUM_ADDRESSES:
            return f"{name}: at most {MAXIMUM_ADDRESSES}."
        for uri in uris:
            reason = registrable_redirect_uri(uri)
            if reason is not None:
                return f"{name}: {uri!r} cannot be registered: {reason}."
    if application.subject_type == "pairwise" and application.sector_identifier_uri is None:
        hosts = {urlsplit(uri).hostname for uri in application.redirect_uris}
        # OpenID Connect Core §8.1
        if len(hosts) > 1:
            return "redirect_uris: with several hosts, pairwise subjects need a sector_identifier_uri."
    return None


def _addresses(application: Application) -> str | None:
    for name in _OUTBOUND:
        uri = getattr(application, name)
        if uri is not None and not _is_secure(uri):
            return f"{name} must be an https address."
    initiate = application.initiate_login_uri
    # OpenID Connect Dynamic Client Registration §2: https, on loopback too.
    if initiate is not None and not (_is_secure(initiate) and initiate.startswith("https:")):
        return "initiate_login_uri must be an https address."
    for uri in application.request_uris:
        if len(application.request_uris) > MAXIMUM_ADDRESSES or not _is_secure(uri.partition("#")[0]):
            return f"request_uris: at most {MAXIMUM_ADDRESSES} https addresses."
    for name in _SHOWN:
        uri = getattr(application, name)
        if uri is not None and (_origin(uri)[0] not in ("http", "https") or not uri.isprintable()):
            return f"{name} must be an http or https address."
    for origin in application.web_origins:
        scheme, host = _origin(origin)
        if scheme not in ("http", "https") or f"{scheme}://{host}" != origin or "@" in origin:
            return f"web_origins: {origin!r} is not an origin like https://app.example.org."
    return None


def _logout(application: Application) -> str | None:
    uri = application.frontchannel_logout_uri
    if uri is None:
        return None
    # Front-Channel Logout §2: the same scheme, host and port as one of the redirect addresses.
    if registrable_redirect_uri(uri) is not None or urlsplit(uri).scheme not in ("http", "https"):
        return "frontchannel_logout_uri must be an https address."
    if _origin(uri) not in {_origin(other) for other in application.redirect_uris}:
        return "frontchannel_logout_uri must be on the host of one of the redirect_uris."
    return None


def _ciba(application: Application) -> str | None:
    pings = application.backchannel_token_delivery_mode == "ping"
    if pings and application.backchannel_client_notification_endpoint is None:
        return "backchannel_client_notification_endpoint: the mode ping needs it."
    return None


def _words(application: Application) -> str | None:
    named = (*application.scopes, *application.audiences, *application.management_scopes, *application.resources)
    granted = (scope for api in application.authorized_apis for scope in api.scopes)
    for item in (*named, *granted):
        if not item or not item.isascii() or not item.isprintable() or any(c in item for c in ' "\\'):
            return f"{item!r} cannot be a scope or audience (RFC 6749 §3.3)."
    for uri in application.resources:
        # RFC 8707 §2
        if not _origin(uri)[0] or "#" in uri:
            return f"resources: {uri!r} is not an absolute URI without fragment."
    return None


def _origin(uri: str) -> tuple[str, str]:
    """Scheme and authority; both empty of what is no URI at all."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def _is_secure(uri: str) -> bool:
    """https, or http on loopback, where nobody listens in; what may be called is `messaging`'s to say."""
    if not uri.isascii() or not uri.isprintable() or len(uri) > 2048 or "#" in uri or registrable_redirect_uri(uri):
        return False
    parts = urlsplit(uri)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _sign_in(application: Application) -> str | None:
    return steps_problem(application.sign_in_steps) or minimum_acr_problem(application.minimum_acr)


RULES: tuple[Callable[[Application], str | None], ...] = (
    _name,
    _grants,
    _lifetimes,
    _algorithms,
    _keys,
    _authentication,
    _redirects,
    _addresses,
    _logout,
    _ciba,
    _words,
    _sign_in,
)
