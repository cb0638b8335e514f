"""The beginning of a sign-in by JSON: an authorization request with `response_mode=direct` (wso2-contracts §1.6)."""

import msgspec

from identity.authn.login_flow import LoginFlows, LoginRecord
from identity.domain.applications import Application
from identity.oauth2.authorization.authentication_demands import LOGIN_REQUIRED
from identity.oauth2.authorization.authorization_request import AuthorizationRequest, RefusedRequest
from identity.oauth2.clients.client_authentication import ClientAuthentication
from identity.oauth2.errors import OAuthError
from identity.oauth2.native.native_login import flow_id, prompt
from identity.storage.configuration import ConfigurationMoved
from identity.tokens.addresses import base_of
from identity.web.messages import Request, Response, json_response

PATH = "/oauth2/authn"


class NativeLoginStart:
    def __init__(self, clients: ClientAuthentication, flows: LoginFlows, base_url: str) -> None:
        self._clients = clients
        self._flows = flows
        self._base_url = base_url

    async def begin(self, http: Request, application: Application, request: AuthorizationRequest) -> Response:
        """The first step. Raises RefusedRequest; nobody is asked about consent here, and no running session counts."""
        await self._require_application(http, application, request)
        if "none" in request.prompt:
            raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
        if "consent" in request.prompt:
            raise RefusedRequest(request, OAuthError("consent_required", "There is no page to ask for consent on."))
        flow, secret = await self._flows.begin(
            http.tenant,
            application=application.id,
            return_path="",
            request=msgspec.json.encode(request).decode(),
            record=LoginRecord(application_host="", login_hint=request.login_hint, native=True),
        )
        return json_response(200, prompt(flow_id(flow.id, secret), authn_address(self._base_url, http)))

    async def _require_application(
        self, http: Request, application: Application, request: AuthorizationRequest
    ) -> None:
        """A person types a password into it: so it is the application itself, as far as it can show that.

        A pushed request was authenticated when it was pushed. A public application shows with PKCE, which the checks of
        the request demand of it, that the code is redeemed by whoever began the flow.
        """
        if http.method != "POST":
            raise RefusedRequest(request, OAuthError("invalid_request", "response_mode=direct needs a POST."))
        if request.response_type != "code":
            raise RefusedRequest(
                request, OAuthError("unsupported_response_type", "response_mode=direct needs response_type=code.")
            )
        if request.pushed:
            return
        try:
            shown = await self._clients.authenticate(http, {"client_id": application.client_id})
        except OAuthError as error:
            raise RefusedRequest(request, error) from None
        if (shown.id, shown.version) != (application.id, application.version):
            raise ConfigurationMoved


def authn_address(base_url: str, http: Request) -> str:
    return f"{base_of(base_url, http.tenant.tenant)}{PATH}"
