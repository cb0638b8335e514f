"""The paths of authorizations that a person decides on elsewhere: devices, the back channel (wso2-contracts §1.1)."""

from identity.oauth2.approvals.ciba_endpoint import CibaEndpoint
from identity.oauth2.approvals.ciba_pages import DECISION_PATH, PATH, CibaPages, CibaTestDoor
from identity.oauth2.approvals.device_endpoint import VERIFICATION_PATH, DeviceEndpoint
from identity.oauth2.approvals.device_pages import DevicePages
from identity.oauth2.approvals.page_sign_in import PageSignIn
from identity.web.routing import Permission, Route

_CLIENT = ("client_id", "client_secret", "client_assertion_type", "client_assertion")


def device_routes(*, device: DeviceEndpoint, pages: DevicePages, sign_in: PageSignIn) -> list[Route]:
    return [
        Route(
            name="device_authorize",
            methods=("POST",),
            path="/oauth2/device_authorize",
            endpoint=device,
            permission=Permission.CLIENT,
            exact=True,
            cors="registered",
            summary="Ask for a device code (RFC 8628 §3.1)",
            parameters=("scope", "resource", "authorization_details", *_CLIENT),
        ),
        Route(
            name="device",
            methods=("GET",),
            path=VERIFICATION_PATH,
            endpoint=pages.show,
            permission=Permission.SESSION,
            errors="page",
            summary="Type or confirm a device's code",
            parameters=("user_code", "cleared", "done"),
        ),
        Route(
            name="device_submit",
            methods=("POST",),
            path=VERIFICATION_PATH,
            endpoint=pages.submit,
            permission=Permission.SESSION,
            errors="page",
            same_origin=True,
            summary="Allow or refuse a device",
            parameters=("user_code*", "decision", "scope", "cleared", "csrf_token*"),
        ),
        Route(
            name="device_signed_in",
            methods=("GET",),
            path=f"{VERIFICATION_PATH}/{{flow}}",
            endpoint=sign_in.finish,
            permission=Permission.FLOW,
            errors="page",
            summary="The end of a sign-in that leads back to the device's page",
        ),
    ]


def ciba_routes(
    *, ciba: CibaEndpoint, pages: CibaPages, sign_in: PageSignIn, test_door: CibaTestDoor | None
) -> list[Route]:
    """`test_door` only in test mode."""
    routes = [
        Route(
            name="ciba",
            methods=("POST",),
            path="/oauth2/ciba",
            endpoint=ciba,
            permission=Permission.CLIENT,
            exact=True,
            summary="Ask for the consent of a person who is somewhere else (OpenID CIBA Core §7)",
            parameters=(
                "scope", "login_hint", "id_token_hint", "login_hint_token", "binding_message", "acr_values",
                "requested_expiry", "client_notification_token", "resource", "authorization_details", "request",
                *_CLIENT,
            ),
        ),
        Route(
            name="ciba_requests",
            methods=("GET",),
            path=PATH,
            endpoint=pages.show,
            permission=Permission.SESSION,
            errors="page",
            summary="What waits for the person's decision",
            parameters=("request", "cleared", "notice"),
        ),
        Route(
            name="ciba_decision",
            methods=("POST",),
            path=DECISION_PATH,
            endpoint=pages.submit,
            permission=Permission.SESSION,
            errors="page",
            same_origin=True,
            summary="Allow or refuse what waits",
            parameters=("request*", "decision*", "cleared", "csrf_token*"),
        ),
        Route(
            name="ciba_signed_in",
            methods=("GET",),
            path=f"{PATH}/{{flow}}",
            endpoint=sign_in.finish,
            permission=Permission.FLOW,
            errors="page",
            summary="The end of a sign-in that leads back to what waits",
        ),
    ]  # fmt: skip
    if test_door is not None:
        routes.append(
            Route(
                name="ciba_test_decision",
                methods=("POST",),
                path=PATH,
                endpoint=test_door,
                permission=Permission.PUBLIC,
                summary="Decide for the person, in test mode",
                parameters=("auth_req_id*", "action*", "key*"),
            )
        )
    return routes
