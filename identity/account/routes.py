"""The paths of a person's own account, the home page and the theme's files."""

from identity.account.account_pages import AccountPages
from identity.account.factor_pages import FactorPages
from identity.account.home_page import HomePage, StaticFiles
from identity.account.sign_in import AccountSignIn
from identity.web.routing import Permission, Route


def account_routes(
    *, account: AccountPages, factors: FactorPages, sign_in: AccountSignIn, home: HomePage, static: StaticFiles
) -> list[Route]:
    return [
        *_factor_routes(factors),
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


def _factor_routes(factors: FactorPages) -> list[Route]:
    return [
        Route(
            name="account_factors",
            methods=("GET",),
            path="/account/factors",
            endpoint=factors.show,
            permission=Permission.SESSION,
            errors="page",
            summary="The ways to sign in that a person has set up",
        ),
        Route(
            name="account_factors_change",
            methods=("POST",),
            path="/account/factors",
            endpoint=factors.change,
            permission=Permission.SESSION,
            errors="page",
            same_origin=True,
            summary="Rename or remove one of them",
            parameters=("rename", "remove", "csrf_token*"),
        ),
        Route(
            name="account_factor_begin",
            methods=("GET",),
            path="/account/factors/{factor}",
            endpoint=factors.begin,
            permission=Permission.SESSION,
            errors="page",
            summary="The page on which one is added",
        ),
        Route(
            name="account_factor_enrol",
            methods=("POST",),
            path="/account/factors/{factor}",
            endpoint=factors.enrol,
            permission=Permission.SESSION,
            errors="page",
            same_origin=True,
            summary="Add an authenticator app, a passkey or recovery codes",
            parameters=("state*", "code", "response", "label", "action", "csrf_token*"),
        ),
    ]
