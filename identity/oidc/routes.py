"""The paths of OpenID Connect that are not OAuth's own."""

from identity.oidc.logout_pages import LogoutPages
from identity.oidc.userinfo_endpoint import UserinfoEndpoint
from identity.web.routing import Permission, Route


def oidc_routes(*, userinfo: UserinfoEndpoint, logout: LogoutPages) -> list[Route]:
    return [
        Route(
            name="userinfo",
            methods=("GET", "POST"),
            path="/oauth2/userinfo",
            endpoint=userinfo,
            permission=Permission.ACCESS_TOKEN,
            exact=True,
            cors="registered",
            summary="Claims of the person (OpenID Connect Core §5.3)",
        ),
        Route(
            name="logout",
            methods=("GET", "POST"),
            path="/oidc/logout",
            endpoint=logout.start,
            permission=Permission.PUBLIC,
            errors="page",
            summary="Sign out (RP-Initiated Logout 1.0)",
            parameters=("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"),
        ),
        Route(
            name="logout_confirm",
            methods=("POST",),
            path="/logout/{session}",
            endpoint=logout.submit,
            permission=Permission.SESSION,
            errors="page",
            same_origin=True,
            summary="The answer to: sign out?",
        ),
    ]
