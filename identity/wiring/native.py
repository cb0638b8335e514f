"""Sign-in by JSON, for applications with a page of their own."""

from identity.oauth2.authorization.authorization_endpoint import AuthorizationEndpoint
from identity.oauth2.native.native_login_endpoint import NativeLoginEndpoint
from identity.oauth2.native.native_login_start import NativeLoginStart
from identity.oauth2.native.native_prompts import PATH, NativePrompts
from identity.web.routing import Permission, Route
from identity.wiring.parts import Parts


def native_login_start(parts: Parts) -> NativeLoginStart:
    return NativeLoginStart(parts.clients, parts.flows, _prompts(parts))


def _prompts(parts: Parts) -> NativePrompts:
    return NativePrompts(parts.steps, parts.people, parts.base_url, parts.clock)


def native_login_routes(parts: Parts, authorize: AuthorizationEndpoint) -> list[Route]:
    return [
        Route(
            name="native_login",
            methods=("POST",),
            path=PATH,
            endpoint=NativeLoginEndpoint(
                parts.flows, parts.sessions, authorize, parts.steps, _prompts(parts), parts.database
            ),
            # The secret in the body is the permission: no cookie is read, so no other site can use a person's.
            permission=Permission.PUBLIC,
            cors="registered",
            body_limit=16_384,
            summary="A step of a sign-in by JSON (wso2-contracts §1.6)",
        )
    ]
