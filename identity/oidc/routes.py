"""The paths of OpenID Connect that are not OAuth's own."""

from identity.oidc.check_session_endpoint import CheckSessionEndpoint
from identity.oidc.logout_pages import LogoutPages
from identity.oidc.logout_request import PARAMETERS
from identity.oidc.userinfo_endpoint import UserinfoEndpoint
from identity.web.routing import Permission, Route


def oidc_routes(*, userinfo: UserinfoEndpoint, logout: LogoutPages, check_session: CheckSessionEndpoint) -> list[Route]:
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
            parameters=PARAMETERS,
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
        Route(
            name="check_session",
            methods=("GET",),
            path="/oidc/checksession",
            endpoint=check_session,
            permission=Permission.PUBLIC,
            errors="page",
            summary="The frame that tells whether a session goes on (Session Management 1.0)",
        ),
    ]
