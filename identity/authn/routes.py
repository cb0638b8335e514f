"""The paths of sign-in (decision 19)."""

from identity.authn.consent_pages import ConsentPages
from identity.authn.login_pages import LoginPages
from identity.web.routing import Permission, Route


def authn_routes(*, login: LoginPages, consent: ConsentPages) -> list[Route]:
    flow = Permission.FLOW
    return [
        Route(
            name="login",
            methods=("GET",),
            path="/login/{flow}",
            endpoint=login.show,
            permission=flow,
            errors="page",
            summary="The page of the sign-in step at hand",
        ),
        Route(
            name="login_submit",
            methods=("POST",),
            path="/login/{flow}",
            endpoint=login.submit,
            permission=flow,
            errors="page",
            same_origin=True,
            summary="Answer a sign-in step",
            parameters=(
                "username",
                "password",
                "remember",
                "action",
                "account",
                "authenticator",
                "code",
                "credential",
                "csrf_token*",
            ),
        ),
        Route(
            name="consent",
            methods=("GET",),
            path="/consent/{flow}",
            endpoint=consent.show,
            permission=flow,
            errors="page",
            summary="What an application asks for",
        ),
        Route(
            name="consent_submit",
            methods=("POST",),
            path="/consent/{flow}",
            endpoint=consent.submit,
            permission=flow,
            errors="page",
            same_origin=True,
            summary="Allow or refuse",
            parameters=("decision*", "scope", "csrf_token*"),
        ),
    ]
