"""The paths of OAuth 2 (wso2-contracts §1.1)."""

from identity.oauth2.authorization.authorization_endpoint import AuthorizationEndpoint
from identity.oauth2.authorization.pushed_request_endpoint import PushedRequestEndpoint
from identity.oauth2.introspection_endpoint import IntrospectionEndpoint
from identity.oauth2.metadata.metadata_endpoint import JwksEndpoint, MetadataEndpoint
from identity.oauth2.revocation_endpoint import RevocationEndpoint
from identity.oauth2.token_endpoint import TokenEndpoint
from identity.web.routing import Permission, Route

_AUTHORIZE_PARAMETERS = (
    "client_id*",
    "response_type*",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "response_mode",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "acr_values",
    "ui_locales",
    "claims",
    "resource",
    "authorization_details",
    "dpop_jkt",
    "request",
)
_TOKEN_PARAMETERS = (
    "grant_type*",
    "client_id",
    "client_secret",
    "client_assertion_type",
    "client_assertion",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "resource",
    "authorization_details",
)
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"


def oauth2_routes(
    *,
    authorize: AuthorizationEndpoint,
    pushed_request: PushedRequestEndpoint,
    token: TokenEndpoint,
    introspect: IntrospectionEndpoint,
    revoke: RevocationEndpoint,
    metadata: MetadataEndpoint,
    jwks: JwksEndpoint,
) -> list[Route]:
    public, client = Permission.PUBLIC, Permission.CLIENT
    return [
        *_authorization(authorize, pushed_request),
        Route(
            name="token",
            methods=("POST",),
            path="/oauth2/token",
            endpoint=token,
            permission=client,
            exact=True,
            cors="registered",
            summary="Get tokens (RFC 6749 §3.2)",
            parameters=_TOKEN_PARAMETERS,
        ),
        Route(
            name="introspect",
            methods=("POST",),
            path="/oauth2/introspect",
            endpoint=introspect,
            permission=client,
            exact=True,
            summary="Ask about a token (RFC 7662)",
            parameters=("token*", "token_type_hint", "client_id", "client_secret"),
        ),
        Route(
            name="revoke",
            methods=("POST",),
            path="/oauth2/revoke",
            endpoint=revoke,
            permission=client,
            exact=True,
            cors="registered",
            summary="Give a token back (RFC 7009)",
            parameters=("token*", "token_type_hint", "client_id", "client_secret"),
        ),
        Route(
            name="jwks",
            methods=("GET",),
            path="/oauth2/jwks",
            endpoint=jwks,
            permission=public,
            cors="any",
            summary="Public signing keys (RFC 7517)",
        ),
        *_discovery(metadata),
    ]


def _authorization(authorize: AuthorizationEndpoint, pushed_request: PushedRequestEndpoint) -> list[Route]:
    return [
        Route(
            name="authorize",
            methods=("GET", "POST"),
            path="/oauth2/authorize",
            endpoint=authorize,
            permission=Permission.PUBLIC,
            errors="page",
            summary="Begin an authorization (RFC 6749 §3.1)",
            parameters=(*_AUTHORIZE_PARAMETERS, "request_uri"),
        ),
        Route(
            name="authorize_resume",
            methods=("GET",),
            path="/oauth2/authorize/{flow}",
            endpoint=authorize.resume,
            permission=Permission.FLOW,
            errors="page",
            summary="Go on with an authorization after sign-in",
        ),
        Route(
            name="pushed_request",
            methods=("POST",),
            path="/oauth2/par",
            endpoint=pushed_request,
            permission=Permission.CLIENT,
            exact=True,
            cors="registered",
            summary="Hand in an authorization request before the browser comes (RFC 9126)",
            parameters=(*_AUTHORIZE_PARAMETERS, "client_secret", "client_assertion", "client_assertion_type"),
        ),
    ]


def _discovery(metadata: MetadataEndpoint) -> list[Route]:
    """Decision 2: below the issuer, at the places of RFC 8414 §3, and at the legacy aliases.

    The places of RFC 8414 put the well-known part before the issuer's path; for a tenant that path begins with
    `/t/<tenant>`, which `web.routing` moves to the front.
    """
    issuer_path = "/oauth2/token"
    token_endpoint = {
        "openid_configuration": issuer_path + OPENID_CONFIGURATION,
        "oauth_authorization_server": issuer_path + AUTHORIZATION_SERVER,
        "openid_configuration_8414": OPENID_CONFIGURATION + issuer_path,
        "oauth_authorization_server_8414": AUTHORIZATION_SERVER + issuer_path,
    }
    base = {
        "openid_configuration_root": OPENID_CONFIGURATION,
        "oauth_authorization_server_root": AUTHORIZATION_SERVER,
    }
    alias = {
        "openid_configuration_alias": "/oauth2/oidcdiscovery" + OPENID_CONFIGURATION,
    }
    return [
        Route(
            name=name,
            methods=("GET",),
            path=path,
            endpoint=endpoint,
            permission=Permission.PUBLIC,
            cors="any",
            summary="What this issuer offers (OpenID Connect Discovery, RFC 8414)",
        )
        for places, endpoint in (
            (token_endpoint, metadata.below_token_endpoint),
            (base, metadata.below_base),
            (alias, metadata.alias),
        )
        for name, path in places.items()
    ]
