"""The paths of a person's own account, the home page and the theme's files."""

from identity.account.account_pages import AccountPages
from identity.account.home_page import HomePage, StaticFiles
from identity.account.sign_in import AccountSignIn
from identity.web.routing import Permission, Route


def account_routes(
    *, account: AccountPages, sign_in: AccountSignIn, home: HomePage, static: StaticFiles
) -> list[Route]:
    return [
        Route(
            name="home",
            methods=("GET",),
            path="/",
            endpoint=home,
            permission=Permission.PUBLIC,
            errors="page",
            summary="What this server is",
        ),
        Route(
            name="static",
            methods=("GET",),
            path="/static/{file}",
            endpoint=static,
            permission=Permission.PUBLIC,
            summary="Style sheets, scripts and drawings of the theme",
        ),
        Route(
            name="account",
            methods=("GET",),
            path="/account",
            endpoint=account.show,
            permission=Permission.SESSION,
            errors="page",
            summary="Connected applications and sessions",
        ),
        Route(
            name="account_submit",
            methods=("POST",),
            path="/account",
            endpoint=account.submit,
            permission=Permission.SESSION,
            errors="page",
            same_origin=True,
            summary="Take back an access, end a session",
            parameters=("revoke_application", "end_session", "csrf_token*"),
        ),
        Route(
            name="account_sign_in",
            methods=("GET",),
            path="/account/sign-in",
            endpoint=sign_in.start,
            permission=Permission.PUBLIC,
            errors="page",
            summary="Sign in to the account page",
        ),
        Route(
            name="account_sign_in_done",
            methods=("GET",),
            path="/account/sign-in/{flow}",
            endpoint=sign_in.finish,
            permission=Permission.FLOW,
            errors="page",
            summary="The end of that sign-in",
        ),
    ]
